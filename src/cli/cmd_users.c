/*
 * docle login-link and docle users: people, by the operator. Works on the database itself, beside a
 * running server: sessions are looked up there each time, so all of it takes effect at once.
 */
#include <stdio.h>
#include <string.h>

#include "accounts/accounts.h"
#include "accounts/email.h"
#include "base/clock.h"
#include "base/io.h"
#include "cli/commands.h"
#include "cli/data_dir.h"
#include "store/audit.h"
#include "store/members.h"

#include "base/poison.h"

enum { LINK_MAX_BYTES = 1024 };

struct users_call {
    bool json;
    bool lift;
};

static int take(void *context, int option, const char *value, struct dc_err *err)
{
    struct users_call *users = context;

    (void)value;
    (void)err;
    if (option == 0)
        users->json = true;
    else
        users->lift = true;
    return 0;
}

static int read_email(const char *text, char email[static STORE_EMAIL_SIZE], struct dc_err *err)
{
    if (email_read(text, strlen(text), email))
        return 0;
    return dc_fail(err, DC_INVALID, 0, "'%.64s' is no e-mail address", text);
}

static void json_text(struct dc_buf *out, const char *name, const char *text)
{
    dc_buf_printf(out, "\"%s\":", name);
    dc_buf_json_string(out, text, strlen(text));
    dc_buf_byte(out, ',');
}

static void json_time(struct dc_buf *out, const char *name, int64_t wall_ns)
{
    char text[25];

    if (!wall_ns) {
        dc_buf_printf(out, "\"%s\":null,", name);
        return;
    }
    dc_format_iso8601(wall_ns, text);
    json_text(out, name, text);
}

static int audit(struct store_conn *conn, const char *action, const char *target, int64_t now,
                 struct dc_err *err)
{
    return store_audit_add(conn,
                           &(struct store_audit){.actor = "operator (command line)",
                                                 .action = action,
                                                 .target = target,
                                                 .address = "",
                                                 .at = now},
                           err);
}

/* --- login-link ------------------------------------------------------------------------------ */

static int print_link(const struct config *config, const char *email, bool json, struct dc_err *err)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};
    uint32_t minutes = config_number(config, CONFIG_AUTH_LINK_MINUTES);
    char token[TOKEN_SIZE];
    char link[LINK_MAX_BYTES];
    int result;

    if (data_dir_open_store(config, &conn, err) < 0 ||
        signin_link_by_hand(conn, email, minutes, dc_wall_now(), token, err) < 0 ||
        audit(conn, "link.create", email, dc_wall_now(), err) < 0)
        return -err->code;
    (void)snprintf(link, sizeof(link), "%s/auth/verify?token=%s",
                   config_text(config, CONFIG_APP_URL), token);
    dc_buf_init(&out, LINK_MAX_BYTES + 512);
    if (json) {
        dc_buf_byte(&out, '{');
        json_text(&out, "email", email);
        json_text(&out, "link", link);
        dc_buf_printf(&out, "\"minutes\":%u}\n", minutes);
    } else {
        dc_buf_printf(&out, "%s\n\nWorks once, within %u minutes, in any browser.\n", link,
                      minutes);
    }
    result = cli_output(&out, err);
    dc_wipe(link, sizeof(link));
    dc_wipe(token, sizeof(token));
    return result;
}

static int run_link(struct cli_call *call, struct dc_err *err)
{
    struct users_call users = {0};
    char email[STORE_EMAIL_SIZE];
    int result = cli_parse(call, take, &users, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    if (cli_operands(call, 1, err) < 0 || read_email(call->argv[0], email, err) < 0)
        return -err->code;
    return print_link(&call->config, email, users.json, err);
}

static const struct cli_option json_options[] = {
    {"json", 0, NULL, "Print JSON."},
    {0},
};

const struct cli_command command_login_link = {
    .name = "login-link",
    .operands = "EMAIL",
    .summary = "Print a link that signs somebody in, once.",
    .detail = "Makes the account when there is none. On a server without an operator, whoever uses "
              "it becomes one. Give app.url as the server has it.",
    .options = json_options,
    .settings = CLI_SETTING(CONFIG_DATA_DIR) | CLI_SETTING(CONFIG_APP_URL) |
                CLI_SETTING(CONFIG_AUTH_LINK_MINUTES),
    .run = run_link,
};

/* --- users list ------------------------------------------------------------------------------ */

static void print_user(const struct store_user *user, struct dc_buf *out)
{
    char created[25];
    char seen[25] = "never";

    dc_format_iso8601(user->created_at, created);
    if (user->seen_at)
        dc_format_iso8601(user->seen_at, seen);
    dc_buf_printf(out, "%s  %-9s  %.10s  %-24s  %s%s\n", user->id,
                  user->suspended_at ? "suspended" : "active", created, seen, user->email,
                  user->operator? "  (operator)" : "");
}

/* Without the brace at the end. */
static void print_user_json(const struct store_user *user, struct dc_buf *out)
{
    dc_buf_byte(out, '{');
    json_text(out, "id", user->id);
    json_text(out, "email", user->email);
    json_text(out, "name", user->name);
    json_time(out, "createdAt", user->created_at);
    json_time(out, "seenAt", user->seen_at);
    json_time(out, "suspendedAt", user->suspended_at);
    dc_buf_printf(out, "\"operator\":%s", user->operator? "true" : "false");
}

static int run_list(struct cli_call *call, struct dc_err *err)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    DC_AUTO(dc_free) struct store_user *list = NULL;
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};
    struct users_call users = {0};
    size_t count;
    int result = cli_parse(call, take, &users, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    if (cli_operands(call, 0, err) < 0 || data_dir_open_store(&call->config, &conn, err) < 0 ||
        store_users_list(conn, &list, &count, err) < 0)
        return -err->code;
    dc_buf_init(&out, CLI_OUTPUT_MAX_BYTES);
    dc_buf_text(&out, users.json ? "["
                      : count    ? ""
                                 : "Nobody yet. Let somebody in: docle login-link EMAIL\n");
    for (size_t i = 0; i < count; i++) {
        if (!users.json) {
            print_user(&list[i], &out);
            continue;
        }
        dc_buf_text(&out, i ? "," : "");
        print_user_json(&list[i], &out);
        dc_buf_byte(&out, '}');
    }
    dc_buf_text(&out, users.json ? "]\n" : "");
    return cli_output(&out, err);
}

const struct cli_command command_users_list = {
    .name = "users list",
    .summary = "List people, oldest first.",
    .options = json_options,
    .settings = CLI_SETTING(CONFIG_DATA_DIR),
    .run = run_list,
};

/* --- users show ------------------------------------------------------------------------------ */

static void print_whole_user(const struct store_user *user, const struct store_member *members,
                             size_t count, struct dc_buf *out)
{
    char moment[25];

    dc_format_iso8601(user->created_at, moment);
    dc_buf_printf(out, "%s%s\n\nid: %s\nname: %s\ncreated: %s\n", user->email,
                  user->operator? " (operator)" : "", user->id, user->name, moment);
    if (user->seen_at)
        dc_format_iso8601(user->seen_at, moment);
    dc_buf_printf(out, "last sign-in: %s\n", user->seen_at ? moment : "never");
    if (user->suspended_at) {
        dc_format_iso8601(user->suspended_at, moment);
        dc_buf_printf(out, "suspended: %s\n", moment);
    }
    dc_buf_text(out, count ? "projects:\n" : "projects: none\n");
    for (size_t i = 0; i < count; i++)
        dc_buf_printf(out, "  %s  %-10s  %s\n", members[i].project_id, members[i].role,
                      members[i].project_name);
}

static void print_whole_user_json(const struct store_user *user, const struct store_member *members,
                                  size_t count, struct dc_buf *out)
{
    print_user_json(user, out);
    dc_buf_text(out, ",\"projects\":[");
    for (size_t i = 0; i < count; i++) {
        dc_buf_text(out, i ? ",{" : "{");
        json_text(out, "id", members[i].project_id);
        json_text(out, "name", members[i].project_name);
        dc_buf_printf(out, "\"role\":\"%s\"}", members[i].role);
    }
    dc_buf_text(out, "]}\n");
}

static int run_show(struct cli_call *call, struct dc_err *err)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    DC_AUTO(dc_free) struct store_member *members = NULL;
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};
    struct users_call users = {0};
    struct store_user user;
    char email[STORE_EMAIL_SIZE];
    size_t count;
    int result = cli_parse(call, take, &users, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    if (cli_operands(call, 1, err) < 0 || read_email(call->argv[0], email, err) < 0 ||
        data_dir_open_store(&call->config, &conn, err) < 0)
        return -err->code;
    if (store_user_find(conn, email, &user, err) < 0)
        return dc_context(err, "'%s'", email);
    if (store_members_list(conn, NULL, user.id, &members, &count, err) < 0)
        return -err->code;
    dc_buf_init(&out, CLI_OUTPUT_MAX_BYTES);
    if (users.json)
        print_whole_user_json(&user, members, count, &out);
    else
        print_whole_user(&user, members, count, &out);
    return cli_output(&out, err);
}

const struct cli_command command_users_show = {
    .name = "users show",
    .operands = "EMAIL",
    .summary = "Show a person and the projects that he is in.",
    .options = json_options,
    .settings = CLI_SETTING(CONFIG_DATA_DIR),
    .run = run_show,
};

/* --- users suspend, users delete ------------------------------------------------------------- */

struct user_change {
    const char *email;
    int64_t at; /* of a suspension; 0: lifts it */
    int64_t now;
};

static int run_suspension(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct user_change *change = arg;
    struct store_user user;

    if (store_user_find(conn, change->email, &user, err) < 0 ||
        store_user_suspend(conn, user.id, change->at, err) < 0)
        return -err->code;
    return audit(conn, change->at ? "user.suspend" : "user.resume", user.email, change->now, err);
}

/* Projects that nobody else owns go with him, as long as nobody else is in them. */
static int run_deletion(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct user_change *change = arg;
    struct store_user user;

    if (store_user_find(conn, change->email, &user, err) < 0 ||
        accounts_delete_user(conn, &user, err) < 0)
        return -err->code;
    return audit(conn, "user.delete", "deleted user", change->now, err);
}

static int change_user(struct cli_call *call,
                       int (*run)(struct store_conn *conn, void *arg, struct dc_err *err),
                       struct user_change *change, const char *done, struct dc_err *err)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};
    char email[STORE_EMAIL_SIZE];

    if (cli_operands(call, 1, err) < 0 || read_email(call->argv[0], email, err) < 0 ||
        data_dir_open_store(&call->config, &conn, err) < 0)
        return -err->code;
    change->email = email;
    change->now = dc_wall_now();
    if (store_transaction(conn, run, change, err) < 0)
        return dc_context(err, "'%s'", email);
    dc_buf_init(&out, LINK_MAX_BYTES);
    dc_buf_printf(&out, "%s is %s.\n", email, done);
    return cli_output(&out, err);
}

static int take_lift(void *context, int option, const char *value, struct dc_err *err)
{
    (void)option;
    return take(context, 1, value, err);
}

static int run_suspend(struct cli_call *call, struct dc_err *err)
{
    struct users_call users = {0};
    struct user_change change = {0};
    int result = cli_parse(call, take_lift, &users, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    change.at = users.lift ? 0 : dc_wall_now();
    return change_user(call, run_suspension, &change, users.lift ? "let in again" : "suspended",
                       err);
}

static const struct cli_option suspend_options[] = {
    {"lift", 0, NULL, "End the suspension."},
    {0},
};

const struct cli_command command_users_suspend = {
    .name = "users suspend",
    .operands = "EMAIL",
    .summary = "End the sessions of a person, who cannot sign in any more.",
    .detail = "Keys of projects go on; see docle projects suspend.",
    .options = suspend_options,
    .settings = CLI_SETTING(CONFIG_DATA_DIR),
    .run = run_suspend,
};

static int take_none(void *context, int option, const char *value, struct dc_err *err)
{
    (void)context;
    (void)option;
    (void)value;
    return dc_fail(err, DC_BUG, 0, "no options");
}

static int run_delete(struct cli_call *call, struct dc_err *err)
{
    struct user_change change = {0};
    int result = cli_parse(call, take_none, NULL, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    return change_user(call, run_deletion, &change, "deleted", err);
}

const struct cli_command command_users_delete = {
    .name = "users delete",
    .operands = "EMAIL",
    .summary = "Delete a person, and the projects that nobody else is in.",
    .detail = "The ledger and the audit log stay, without the address. Refused while others are "
              "members of a project that only this person owns.",
    .settings = CLI_SETTING(CONFIG_DATA_DIR),
    .run = run_delete,
};
