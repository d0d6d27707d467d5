/* API keys, made and revoked by people: of the current project, or of one that the path names. */
#include <stdio.h>
#include <string.h>

#include "api/account_print.h"
#include "api/app_internal.h"
#include "api/body.h"
#include "api/change.h"
#include "api/key_json.h"
#include "api/routes.h"
#include "base/io.h"

#include "base/poison.h"

enum { KEYS_MAX_BYTES = 8 << 20, ANSWER_MAX_BYTES = 4096 };

struct key_change {
    const struct call *call;
    struct store_key_new made;
    const char *key_id;
    char raw[STORE_RAW_KEY_SIZE];
    struct store_key key;
    struct store_key *list;
    size_t count;
};

static int run_create(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct key_change *change = arg;
    const struct call *call = change->call;

    if (store_key_create(conn, &change->made, call->begun_ns, change->raw, &change->key, err) < 0)
        return -err->code;
    return change_audit(call, conn, call->project_id, "key.create", change->key.prefix, err);
}

/* brief: as the original's route of a project. */
static void create(struct call *call, bool brief)
{
    DC_AUTO(body_release) struct body body = {0};
    DC_AUTO(dc_buf_release) struct dc_buf answer = {0};
    struct key_change change = {.call = call};
    struct dc_err err;

    if (!body_read(call, &body))
        return;
    if (key_json_parse_new(body.root, call->begun_ns, &call->arena, &change.made, &body.problems,
                           &err) == -DC_KERNEL) {
        call_fail_err(call, &err, "a key could not be made");
        return;
    }
    if (body_fail(call, &body))
        return;
    change.made.project_id = call->project_id;
    if (!change_run(call, run_create, &change, "Project not found"))
        return;
    dc_buf_init(&answer, ANSWER_MAX_BYTES);
    (void)dc_buf_byte(&answer, '{');
    if (!brief) {
        print_member_text(&answer, "message", "API key created successfully");
        print_member_text(&answer, "prefix", change.key.prefix);
    }
    print_member_text(&answer, "key", change.raw);
    (void)dc_buf_printf(&answer, "\"id\":\"%s\"}", change.key.id);
    dc_wipe(change.raw, sizeof(change.raw));
    call_reply(call, &(struct call_head){.status = 200}, &answer);
}

void route_keys_create(struct call *call)
{
    create(call, false);
}

void route_project_keys_create(struct call *call)
{
    create(call, true);
}

static int run_list(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct key_change *change = arg;

    return store_keys_list(conn, change->call->project_id, &change->list, &change->count, err);
}

static void list(struct call *call, const char *name)
{
    struct key_change change = {.call = call};
    DC_AUTO(dc_free) struct store_key *keys = NULL;
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};

    if (!change_read(call, run_list, &change, "Project not found"))
        return;
    keys = change.list;
    dc_buf_init(&body, KEYS_MAX_BYTES);
    (void)dc_buf_printf(&body, "{\"%s\":[", name);
    for (size_t i = change.count; i > 0; i--) { /* newest first */
        key_json_print(&keys[i - 1], call->begun_ns, &body);
        (void)dc_buf_text(&body, i > 1 ? "," : "");
    }
    (void)dc_buf_text(&body, "]}");
    call_reply(call, &(struct call_head){.status = 200}, &body);
}

void route_keys_list(struct call *call)
{
    list(call, "keys");
}

void route_project_keys_list(struct call *call)
{
    list(call, "apiKeys");
}

static int run_revoke(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct key_change *change = arg;
    const struct call *call = change->call;
    DC_AUTO(dc_free) struct store_key *key = NULL;

    if (store_key_get(conn, call->project_id, change->key_id, &key, err) < 0)
        return -err->code;
    if (key->revoked_at)
        return 0; /* nothing changes */
    if (store_key_revoke(conn, call->project_id, change->key_id, call->begun_ns, err) < 0)
        return -err->code;
    return change_audit(call, conn, call->project_id, "key.revoke", change->key_id, err);
}

static void revoke_key(struct call *call, const char *key_id)
{
    struct key_change change = {.call = call, .key_id = key_id};

    if (change_run(call, run_revoke, &change, "API key not found"))
        change_reply(call, "API key revoked successfully");
}

void route_key_revoke(struct call *call)
{
    revoke_key(call, call->id);
}

void route_project_key_revoke(struct call *call)
{
    revoke_key(call, call->sub_id);
}
