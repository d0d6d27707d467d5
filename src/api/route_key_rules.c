/* API keys that are there already, changed and rolled by people. */
#include <stdio.h>
#include <string.h>

#include "api/account_print.h"
#include "api/app_internal.h"
#include "api/body.h"
#include "api/change.h"
#include "api/key_json.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/io.h"

#include "base/poison.h"

enum { ANSWER_MAX_BYTES = 64 * 1024, OVERLAP_HOURS = 24, OVERLAP_HOURS_MAX = 30 * 24 };

/* ---- change ---- */

struct rules_change {
    const struct call *call;
    const char *key_id;
    struct store_key_change change;
    struct store_key *key; /* as it is now */
};

static int run_change(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct rules_change *change = arg;
    const struct call *call = change->call;

    free(dc_take(change->key)); /* of a first try */
    if (store_key_change(conn, call->project_id, change->key_id, &change->change, err) < 0 ||
        store_key_get(conn, call->project_id, change->key_id, &change->key, err) < 0)
        return -err->code;
    return change_audit(call, conn, call->project_id, "key.change", change->key_id, err);
}

static void change_key(struct call *call, const char *key_id)
{
    DC_AUTO(body_release) struct body body = {0};
    DC_AUTO(dc_buf_release) struct dc_buf answer = {0};
    struct rules_change change = {.call = call, .key_id = key_id};
    struct dc_err err;

    if (!body_read(call, &body))
        return;
    if (key_json_parse(body.root, call->begun_ns, &call->arena, &change.change, NULL,
                       &body.problems, &err) < 0) {
        call_fail_err(call, &err, "a key could not be changed");
        return;
    }
    if (!change.change.fields && !body.problems.total)
        problems_add(&body.problems, PROBLEM_MISSING, "", "names nothing to change");
    if (body_fail(call, &body))
        return;
    if (change_run(call, run_change, &change, "API key not found")) {
        dc_buf_init(&answer, ANSWER_MAX_BYTES);
        (void)dc_buf_text(&answer, "{\"apiKey\":");
        key_json_print(change.key, call->begun_ns, &answer);
        (void)dc_buf_byte(&answer, '}');
        call_reply(call, &(struct call_head){.status = 200}, &answer);
    }
    free(change.key);
}

void route_key_change(struct call *call)
{
    change_key(call, call->id);
}

void route_project_key_change(struct call *call)
{
    change_key(call, call->sub_id);
}

/* ---- roll ---- */

struct rolling {
    const struct call *call;
    int64_t overlap_ns;
    char raw[STORE_RAW_KEY_SIZE];
    struct store_key *key;
};

static int run_roll(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct rolling *rolling = arg;
    const struct call *call = rolling->call;

    free(dc_take(rolling->key)); /* of a first try */
    if (store_key_roll(conn, call->project_id, call->id, rolling->overlap_ns, call->begun_ns,
                       rolling->raw, &rolling->key, err) < 0)
        return -err->code;
    return change_audit(call, conn, call->project_id, "key.roll", call->id, err);
}

static void reply_rolled(struct call *call, const struct rolling *rolling)
{
    DC_AUTO(dc_buf_release) struct dc_buf answer = {0};

    dc_buf_init(&answer, ANSWER_MAX_BYTES);
    (void)dc_buf_byte(&answer, '{');
    print_member_text(&answer, "message", "API key rolled successfully");
    print_member_text(&answer, "prefix", rolling->key->prefix);
    print_member_text(&answer, "key", rolling->raw);
    (void)dc_buf_printf(&answer, "\"id\":\"%s\"}", rolling->key->id);
    call_reply(call, &(struct call_head){.status = 200}, &answer);
}

void route_key_roll(struct call *call)
{
    DC_AUTO(body_release) struct body body = {0};
    struct rolling rolling = {.call = call, .overlap_ns = OVERLAP_HOURS * 3600 * DC_NS_PER_S};
    const json_t *hours;

    if (!body_read(call, &body))
        return;
    hours = json_object_get(body.root, "overlapHours");
    if (hours && (!json_is_integer(hours) || json_integer_value(hours) < 0 ||
                  json_integer_value(hours) > OVERLAP_HOURS_MAX))
        problems_add(&body.problems, PROBLEM_RANGE, "overlapHours",
                     "must be a whole number from 0 to %d", OVERLAP_HOURS_MAX);
    if (body_fail(call, &body))
        return;
    if (hours)
        rolling.overlap_ns = json_integer_value(hours) * 3600 * DC_NS_PER_S;
    if (change_run(call, run_roll, &rolling, "API key not found"))
        reply_rolled(call, &rolling);
    dc_wipe(rolling.raw, sizeof(rolling.raw));
    free(rolling.key);
}
