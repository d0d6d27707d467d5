/*
 * docle keys: the keys of a data folder. Works on the database itself, beside a running server,
 * which notices at once (store_watch in store/store.h).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"
#include "cli/commands.h"
#include "cli/data_dir.h"
#include "cli/key_options.h"
#include "store/keys.h"

#include "base/poison.h"

struct keys_call {
    const char *project;
    bool json;
    struct key_options options; /* of create */
};

enum { OPTION_PROJECT, OPTION_JSON, OPTION_RULES };

static void json_text(struct dc_buf *out, const char *name, const char *text)
{
    dc_buf_printf(out, "\"%s\":", name);
    dc_buf_json_string(out, text, strlen(text));
}

static void json_time(struct dc_buf *out, const char *name, int64_t wall_ns)
{
    char text[25];

    if (!wall_ns) {
        dc_buf_printf(out, "\"%s\":null", name);
        return;
    }
    dc_format_iso8601(wall_ns, text);
    json_text(out, name, text);
}

/* --- create ---------------------------------------------------------------------------------- */

static int take_create(void *context, int option, const char *value, struct dc_err *err)
{
    struct keys_call *keys = context;

    if (option == OPTION_PROJECT)
        keys->project = value;
    else if (option == OPTION_JSON)
        keys->json = true;
    else
        return key_options_take(&keys->options, option - OPTION_RULES, value, err);
    return 0;
}

static void print_created(const struct keys_call *keys, const char *raw,
                          const struct store_key *key, struct dc_buf *out)
{
    if (!keys->json) {
        dc_buf_printf(
            out, "%s\n\nKey %s of project '%s'. It is shown this once; only its hash is kept.\n",
            raw, key->id, keys->project);
        return;
    }
    dc_buf_byte(out, '{');
    json_text(out, "id", key->id);
    dc_buf_byte(out, ',');
    json_text(out, "key", raw);
    dc_buf_byte(out, ',');
    json_text(out, "prefix", key->prefix);
    dc_buf_byte(out, ',');
    json_text(out, "project", keys->project);
    dc_buf_text(out, "}\n");
}

struct creation {
    const struct keys_call *keys;
    struct store_key_new made;
    struct store_key key;
    char raw[STORE_RAW_KEY_SIZE];
};

static int run_creation(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct creation *creation = arg;
    struct store_project project;
    int64_t now = dc_wall_now();

    if (store_project_ensure(conn, creation->keys->project, now, &project, err) < 0 ||
        (project.created_at == now &&
         key_audit(conn, project.id, "project.create", project.name, err) < 0))
        return -err->code;
    creation->made.project_id = project.id;
    if (store_key_create(conn, &creation->made, now, creation->raw, &creation->key, err) < 0)
        return -err->code;
    return key_audit(conn, project.id, "key.create", creation->key.prefix, err);
}

static int create_key(const struct config *config, struct keys_call *keys, struct dc_err *err)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};
    struct creation creation = {.keys = keys};
    int result;

    if (key_options_fill_new(&keys->options, &creation.made, err) < 0 ||
        data_dir_open_store(config, &conn, err) < 0)
        return -err->code;
    if (store_transaction(conn, run_creation, &creation, err) < 0) {
        dc_wipe(creation.raw, sizeof(creation.raw));
        return -err->code;
    }
    dc_buf_init(&out, 4096);
    print_created(keys, creation.raw, &creation.key, &out);
    result = cli_output(&out, err);
    dc_wipe(creation.raw, sizeof(creation.raw));
    if (out.data)
        dc_wipe(out.data, out.length);
    return result;
}

static int run_create(struct cli_call *call, struct dc_err *err)
{
    struct keys_call keys = {0};
    int result;

    key_options_init(&keys.options);
    result = cli_parse(call, take_create, &keys, err);
    if (result > 0)
        result = CLI_OK;
    else if (result == 0 && cli_operands(call, 0, err) < 0)
        result = -err->code;
    else if (result == 0 && !keys.project)
        result =
            dc_fail(err, DC_INVALID, 0, "--project NAME is needed; see docle keys create --help");
    else if (result == 0)
        result = create_key(&call->config, &keys, err);
    key_options_release(&keys.options);
    return result;
}

static const struct cli_option create_options[] = {
    {"project", 'p', "NAME", "Project that the key belongs to; made when there is none."},
    {"json", 0, NULL, "Print {\"id\",\"key\",\"prefix\",\"project\"}."},
    KEY_OPTIONS,
    {"test", 0, NULL,
     "A test key, sk_test_…: its runs cost nothing and are held to the free plan."},
    {0},
};

const struct cli_command command_keys_create = {
    .name = "keys create",
    .summary = "Make an API key and print it, this once.",
    .detail = "Works on the data folder of a running server; the key is good at once.",
    .options = create_options,
    .settings = CLI_SETTING(CONFIG_DATA_DIR),
    .run = run_create,
};

/* --- list ------------------------------------------------------------------------------------ */

static int take_list(void *context, int option, const char *value, struct dc_err *err)
{
    struct keys_call *keys = context;

    (void)err;
    if (option == OPTION_PROJECT)
        keys->project = value;
    else
        keys->json = true;
    return 0;
}

static const char *project_name(const struct store_project *projects, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(projects[i].id, id) == 0)
            return projects[i].name;
    return "?";
}

static const char *state_of(const struct store_key *key)
{
    if (key->revoked_at)
        return "revoked";
    return store_key_active(key, dc_wall_now()) ? "active" : "expired";
}

static void print_key(const struct store_key *key, const char *project, struct dc_buf *out)
{
    char created[25];
    char used[25] = "never";

    dc_format_iso8601(key->created_at, created);
    if (key->last_used_at)
        dc_format_iso8601(key->last_used_at, used);
    dc_buf_printf(out, "%s  %s…  %-8s  %.10s  %-24s  %s%s%s", key->id, key->prefix, state_of(key),
                  created, used, project, key->name[0] ? ": " : "", key->name);
    key_rules_print(&key->rules, out);
    dc_buf_byte(out, '\n');
}

static void print_key_json(const struct store_key *key, const char *project, struct dc_buf *out)
{
    dc_buf_byte(out, '{');
    json_text(out, "id", key->id);
    dc_buf_byte(out, ',');
    json_text(out, "project", project);
    dc_buf_byte(out, ',');
    json_text(out, "name", key->name);
    dc_buf_byte(out, ',');
    json_text(out, "prefix", key->prefix);
    dc_buf_printf(out, ",\"active\":%s,", store_key_active(key, dc_wall_now()) ? "true" : "false");
    json_time(out, "createdAt", key->created_at);
    dc_buf_byte(out, ',');
    json_time(out, "revokedAt", key->revoked_at);
    dc_buf_byte(out, ',');
    json_time(out, "lastUsedAt", key->last_used_at);
    key_rules_print_json(key, out);
    dc_buf_byte(out, '}');
}

static int list_keys(const struct config *config, const struct keys_call *keys, struct dc_err *err)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    DC_AUTO(dc_free) struct store_project *projects = NULL;
    DC_AUTO(dc_free) struct store_key *list = NULL;
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};
    struct store_project wanted = {0};
    size_t project_count;
    size_t count;

    if (data_dir_open_store(config, &conn, err) < 0 ||
        (keys->project && store_project_find(conn, keys->project, &wanted, err) < 0) ||
        store_projects_list(conn, &projects, &project_count, err) < 0 ||
        store_keys_list(conn, keys->project ? wanted.id : NULL, &list, &count, err) < 0)
        return -err->code;
    dc_buf_init(&out, CLI_OUTPUT_MAX_BYTES);
    if (keys->json)
        dc_buf_byte(&out, '[');
    else if (!count)
        dc_buf_text(&out, "No keys. Make one: docle keys create --project NAME\n");
    for (size_t i = 0; i < count; i++) {
        const char *name = project_name(projects, project_count, list[i].project_id);

        if (keys->json && i)
            dc_buf_byte(&out, ',');
        if (keys->json)
            print_key_json(&list[i], name, &out);
        else
            print_key(&list[i], name, &out);
    }
    if (keys->json)
        dc_buf_text(&out, "]\n");
    return cli_output(&out, err);
}

static int run_list(struct cli_call *call, struct dc_err *err)
{
    struct keys_call keys = {0};
    int result = cli_parse(call, take_list, &keys, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    if (cli_operands(call, 0, err) < 0)
        return -err->code;
    return list_keys(&call->config, &keys, err);
}

static const struct cli_option list_options[] = {
    {"project", 'p', "NAME", "Keys of that project only."},
    {"json", 0, NULL, "Print a JSON array."},
    {0},
};

const struct cli_command command_keys_list = {
    .name = "keys list",
    .summary = "List API keys, oldest first, revoked ones too.",
    .options = list_options,
    .settings = CLI_SETTING(CONFIG_DATA_DIR),
    .run = run_list,
};

/* --- revoke ---------------------------------------------------------------------------------- */

struct revocation {
    const char *wanted;
    char id[DC_UUID_SIZE];
};

static int run_revocation(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct revocation *revocation = arg;
    DC_AUTO(dc_free) struct store_key *key = NULL;

    if (key_find(conn, revocation->wanted, revocation->id, err) < 0 ||
        store_key_get(conn, NULL, revocation->id, &key, err) < 0)
        return -err->code;
    if (key->revoked_at)
        return 0;
    if (store_key_revoke(conn, NULL, key->id, dc_wall_now(), err) < 0)
        return -err->code;
    return key_audit(conn, key->project_id, "key.revoke", key->id, err);
}

static int revoke_key(const struct config *config, const struct keys_call *keys, const char *wanted,
                      struct dc_err *err)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};
    struct revocation revocation = {.wanted = wanted};

    if (data_dir_open_store(config, &conn, err) < 0 ||
        store_transaction(conn, run_revocation, &revocation, err) < 0)
        return -err->code;
    dc_buf_init(&out, 256);
    if (keys->json)
        dc_buf_printf(&out, "{\"id\":\"%s\",\"active\":false}\n", revocation.id);
    else
        dc_buf_printf(&out, "Key %s is revoked.\n", revocation.id);
    return cli_output(&out, err);
}

static int take_revoke(void *context, int option, const char *value, struct dc_err *err)
{
    struct keys_call *keys = context;

    (void)option;
    (void)value;
    (void)err;
    keys->json = true;
    return 0;
}

static int run_revoke(struct cli_call *call, struct dc_err *err)
{
    struct keys_call keys = {0};
    int result = cli_parse(call, take_revoke, &keys, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    if (cli_operands(call, 1, err) < 0)
        return -err->code;
    return revoke_key(&call->config, &keys, call->argv[0], err);
}

static const struct cli_option revoke_options[] = {
    {"json", 0, NULL, "Print JSON."},
    {0},
};

const struct cli_command command_keys_revoke = {
    .name = "keys revoke",
    .operands = "ID",
    .summary = "Revoke an API key, at once and for good.",
    .detail = "ID is the key's identifier, or its first 12 characters when no other active key "
              "begins so.",
    .options = revoke_options,
    .settings = CLI_SETTING(CONFIG_DATA_DIR),
    .run = run_revoke,
};
