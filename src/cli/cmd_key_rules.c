/* docle keys limit and docle keys roll: keys that are there already. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "cli/commands.h"
#include "cli/data_dir.h"
#include "cli/key_options.h"

#include "base/poison.h"

/* --- limit ----------------------------------------------------------------------------------- */

struct limit_call {
    bool json;
    struct key_options options;
};

static int take_limit(void *context, int option, const char *value, struct dc_err *err)
{
    struct limit_call *limit = context;

    if (option)
        return key_options_take(&limit->options, option - 1, value, err);
    limit->json = true;
    return 0;
}

struct limiting {
    const struct limit_call *limit;
    const char *wanted;
    char id[DC_UUID_SIZE];
    struct store_key *key;
};

static int run_limiting(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct limiting *limiting = arg;

    if (key_find(conn, limiting->wanted, limiting->id, err) < 0 ||
        store_key_change(conn, NULL, limiting->id, &limiting->limit->options.change, err) < 0 ||
        store_key_get(conn, NULL, limiting->id, &limiting->key, err) < 0)
        return -err->code;
    return key_audit(conn, limiting->key->project_id, "key.change", limiting->id, err);
}

static int limit_key(const struct config *config, const struct limit_call *limit,
                     const char *wanted, struct dc_err *err)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    DC_AUTO(dc_free) struct store_key *key = NULL;
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};
    struct limiting limiting = {.limit = limit, .wanted = wanted};
    int result;

    if (!limit->options.change.fields)
        return dc_fail(err, DC_INVALID, 0, "nothing to change; see docle keys limit --help");
    if (data_dir_open_store(config, &conn, err) < 0)
        return -err->code;
    result = store_transaction(conn, run_limiting, &limiting, err);
    key = limiting.key;
    if (result < 0)
        return result;
    dc_buf_init(&out, CLI_OUTPUT_MAX_BYTES);
    if (limit->json) {
        dc_buf_printf(&out, "{\"id\":\"%s\"", limiting.id);
        key_rules_print_json(key, &out);
        dc_buf_text(&out, "}\n");
    } else {
        dc_buf_printf(&out, "Key %s", limiting.id);
        key_rules_print(&key->rules, &out);
        dc_buf_byte(&out, '\n');
    }
    return cli_output(&out, err);
}

static int run_limit(struct cli_call *call, struct dc_err *err)
{
    struct limit_call limit = {0};
    int result;

    key_options_init(&limit.options);
    result = cli_parse(call, take_limit, &limit, err);
    if (result > 0)
        result = CLI_OK;
    else if (result == 0 && cli_operands(call, 1, err) < 0)
        result = -err->code;
    else if (result == 0)
        result = limit_key(&call->config, &limit, call->argv[0], err);
    key_options_release(&limit.options);
    return result;
}

static const struct cli_option limit_options[] = {
    {"json", 0, NULL, "Print JSON."},
    KEY_OPTIONS,
    {0},
};

const struct cli_command command_keys_limit = {
    .name = "keys limit",
    .operands = "ID",
    .summary = "Change what an API key may do; in force at once.",
    .detail = "What is not named stays as it is. ID as for docle keys revoke.",
    .options = limit_options,
    .settings = CLI_SETTING(CONFIG_DATA_DIR),
    .run = run_limit,
};

/* --- roll ------------------------------------------------------------------------------------ */

struct roll_call {
    bool json;
    int64_t overlap_ns;
};

static int take_roll(void *context, int option, const char *value, struct dc_err *err)
{
    struct roll_call *roll = context;

    if (option)
        return key_duration(value, &roll->overlap_ns, err);
    roll->json = true;
    return 0;
}

static void print_rolled(const struct roll_call *roll, const char *raw, const struct store_key *key,
                         const char *old, struct dc_buf *out)
{
    if (roll->json)
        dc_buf_printf(out,
                      "{\"id\":\"%s\",\"key\":\"%s\",\"prefix\":\"%s\",\"rolledFrom\":\"%s\"}\n",
                      key->id, raw, key->prefix, old);
    else
        dc_buf_printf(out,
                      "%s\n\nKey %s, in place of %s, which %s. It is shown this once; only its "
                      "hash is kept.\n",
                      raw, key->id, old,
                      roll->overlap_ns ? "goes on for the overlap" : "is revoked");
}

struct rolling {
    const struct roll_call *roll;
    const char *wanted;
    char id[DC_UUID_SIZE];
    char raw[STORE_RAW_KEY_SIZE];
    struct store_key *key;
};

static int run_rolling(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct rolling *rolling = arg;

    if (key_find(conn, rolling->wanted, rolling->id, err) < 0 ||
        store_key_roll(conn, NULL, rolling->id, rolling->roll->overlap_ns, dc_wall_now(),
                       rolling->raw, &rolling->key, err) < 0)
        return -err->code;
    return key_audit(conn, rolling->key->project_id, "key.roll", rolling->id, err);
}

static int roll_key(const struct config *config, const struct roll_call *roll, const char *wanted,
                    struct dc_err *err)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    DC_AUTO(dc_free) struct store_key *key = NULL;
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};
    struct rolling rolling = {.roll = roll, .wanted = wanted};
    int result;

    if (data_dir_open_store(config, &conn, err) < 0)
        return -err->code;
    result = store_transaction(conn, run_rolling, &rolling, err);
    key = rolling.key;
    if (result < 0) {
        dc_wipe(rolling.raw, sizeof(rolling.raw));
        return result;
    }
    dc_buf_init(&out, 4096);
    print_rolled(roll, rolling.raw, key, rolling.id, &out);
    result = cli_output(&out, err);
    dc_wipe(rolling.raw, sizeof(rolling.raw));
    if (out.data)
        dc_wipe(out.data, out.length);
    return result;
}

static int run_roll(struct cli_call *call, struct dc_err *err)
{
    struct roll_call roll = {.overlap_ns = 24 * 3600 * DC_NS_PER_S};
    int result = cli_parse(call, take_roll, &roll, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    if (cli_operands(call, 1, err) < 0)
        return -err->code;
    return roll_key(&call->config, &roll, call->argv[0], err);
}

static const struct cli_option roll_options[] = {
    {"json", 0, NULL, "Print {\"id\",\"key\",\"prefix\",\"rolledFrom\"}."},
    {"overlap", 0, "TIME", "How long the old key goes on: 24h, 7d, 0. Default 24h."},
    {0},
};

const struct cli_command command_keys_roll = {
    .name = "keys roll",
    .operands = "ID",
    .summary = "Make a key that takes another one's place and print it, this once.",
    .detail = "The new key has the old one's name and limits. ID as for docle keys revoke.",
    .options = roll_options,
    .settings = CLI_SETTING(CONFIG_DATA_DIR),
    .run = run_roll,
};
