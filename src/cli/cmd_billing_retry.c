/* docle billing retry: usage that the meter refused is told again, when the meter surely does not
 * have it. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "cli/billing_ask.h"
#include "cli/commands.h"
#include "cli/data_dir.h"
#include "store/meter_retry.h"

#include "base/poison.h"

#define HOUR_NS (INT64_C(3600) * DC_NS_PER_S)
#define TIMESTAMP_NS (INT64_C(34) * 24 * HOUR_NS)

struct retrying {
    const char *id; /* NULL: all */
    bool all;
    struct store_conn *conn;
    struct meter_ids ids;
    int64_t now;
};

/* Dead events of one project, meter and hour; what is decided holds for all of them. */
struct group {
    const struct store_meter_dead *events;
    size_t count;
};

static void say(struct asking *asking, const struct group *group, const char *verdict)
{
    for (size_t i = 0; i < group->count; i++)
        (void)dc_buf_printf(&asking->out, "%s  %-6s %10" PRId64 "  %s\n", group->events[i].id,
                            store_meter_name(group->events[i].meter), group->events[i].value,
                            verdict);
}

static void leave(struct asking *asking, const struct group *group, const char *why)
{
    asking->unequal = true;
    say(asking, group, why);
}

static bool is_same(const struct store_meter_hour_state *one,
                    const struct store_meter_hour_state *two)
{
    return one->hour.acked == two->hour.acked && one->hour.open == two->hour.open &&
           one->hour.ambiguous == two->hour.ambiguous && one->dead == two->dead;
}

/* Why the group cannot be judged, or NULL. */
static const char *obstacle(const struct retrying *retrying, const struct group *group)
{
    const struct store_meter_dead *first = &group->events[0];
    int64_t latest = (first->at / HOUR_NS + 1) * HOUR_NS;

    if (!*first->customer)
        return "left: its project has no customer at Stripe";
    if (!*retrying->ids.id[first->meter])
        return "left: Stripe has no active meter for it";
    for (size_t i = 0; i < group->count; i++)
        if (group->events[i].settled_at > latest)
            latest = group->events[i].settled_at;
    return billing_settled_at(latest) > retrying->now
               ? "left: the meter may add up that hour yet, try again in some hours"
               : NULL;
}

static int tell_again(struct asking *asking, const struct group *group, struct dc_err *err)
{
    struct retrying *retrying = asking->context;

    for (size_t i = 0; i < group->count; i++) {
        const struct store_meter_dead *event = &group->events[i];
        struct group one = {event, 1};
        char id[DC_UUID_SIZE];

        if (store_meter_requeue(retrying->conn, event, retrying->now, id, err) < 0) {
            if (err->code != DC_CONFLICT)
                return -err->code;
            leave(asking, &one, "left: somebody else has taken care of it");
            continue;
        }
        say(asking, &one,
            event->at < retrying->now - TIMESTAMP_NS
                ? "again, too old for its period: as billing.late says"
                : "again");
    }
    return 0;
}

static int note_found(struct asking *asking, const struct group *group, struct dc_err *err)
{
    struct retrying *retrying = asking->context;

    for (size_t i = 0; i < group->count; i++)
        if (store_meter_found(retrying->conn, &group->events[i], retrying->now, err) < 0 &&
            err->code != DC_CONFLICT)
            return -err->code;
    say(asking, group, "is at the meter after all");
    return 0;
}

/* Both looks at our own books must be the same, or what the meter showed in between means nothing.
 */
static int decide(struct asking *asking, const struct group *group, struct dc_err *err)
{
    struct retrying *retrying = asking->context;
    const char *why = obstacle(retrying, group);
    struct store_meter_hour_state before;
    struct store_meter_hour_state after;
    int64_t shown;

    if (why) {
        leave(asking, group, why);
        return 0;
    }
    if (store_meter_hour_of(retrying->conn, &group->events[0], &before, err) < 0)
        return -err->code;
    if (meters_read_hour(&asking->stripe, &retrying->ids, &before.hour, &shown, err) < 0) {
        if (err->code != DC_INVALID && err->code != DC_NOT_FOUND)
            return -err->code;
        leave(asking, group, "left: Stripe does not show that hour");
        return 0;
    }
    if (store_meter_hour_of(retrying->conn, &group->events[0], &after, err) < 0)
        return -err->code;
    if (before.hour.open || before.hour.ambiguous || !is_same(&before, &after)) {
        leave(asking, group, "left: other usage of that hour is under way");
        return 0;
    }
    if (shown == before.hour.acked)
        return tell_again(asking, group, err);
    if (shown == before.hour.acked + before.dead)
        return note_found(asking, group, err);
    leave(asking, group,
          "left: the meter does not agree in that hour, see docle billing reconcile");
    return 0;
}

static bool is_together(const struct store_meter_dead *one, const struct store_meter_dead *two)
{
    return one->meter == two->meter && one->at / HOUR_NS == two->at / HOUR_NS &&
           strcmp(one->project_id, two->project_id) == 0;
}

static int retry_all(struct asking *asking, const struct store_meter_dead *events, size_t count,
                     struct dc_err *err)
{
    size_t done = 0;

    while (done < count) {
        struct group group = {&events[done], 1};

        while (done + group.count < count &&
               is_together(&events[done], &events[done + group.count]))
            group.count++;
        if (decide(asking, &group, err) < 0)
            return -err->code;
        done += group.count;
    }
    return 0;
}

static int retry(struct asking *asking, struct dc_err *err)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    DC_AUTO(dc_free) struct store_meter_dead *events = NULL;
    struct retrying *retrying = asking->context;
    size_t count;

    if (data_dir_open_store(asking->config, &conn, err) < 0 ||
        store_meter_dead_list(conn, retrying->id, &events, &count, err) < 0)
        return -err->code;
    if (retrying->id && !count)
        return dc_fail(err, DC_NOT_FOUND, 0, "'%.60s' is no usage event that is dead",
                       retrying->id);
    if (!count)
        return 0;
    if (meters_find(&asking->stripe, asking->options.meters, &retrying->ids, err) < 0)
        return -err->code;
    retrying->conn = conn;
    retrying->now = dc_wall_now();
    return retry_all(asking, events, count, err);
}

static int take_all(void *context, int option, const char *value, struct dc_err *err)
{
    struct retrying *retrying = context;

    (void)option;
    (void)value;
    (void)err;
    retrying->all = true;
    return 0;
}

static int run_retry(struct cli_call *call, struct dc_err *err)
{
    struct retrying retrying = {0};
    struct asking asking = {.config = &call->config, .work = retry, .context = &retrying};
    int result = cli_parse(call, take_all, &retrying, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    if (cli_operands(call, retrying.all ? 0 : 1, err) < 0)
        return -err->code;
    retrying.id = retrying.all ? NULL : call->argv[0];
    return billing_ask(&asking, err);
}

static const struct cli_option retry_options[] = {
    {"all", 0, NULL, "All usage events that are dead."},
    {0},
};

const struct cli_command command_billing_retry = {
    .name = "billing retry",
    .operands = "[ID]",
    .summary = "Tell usage again that the meter refused, once the cause is mended.",
    .detail =
        "Never counts twice: what the meter shows of the event's hour must be what it was told "
        "without the event, two hours after the hour and after the refusal. When it shows the "
        "event as well, the event is noted as received. Anything else is left, with the reason, "
        "and exit code 1. An event is told under a new identifier, since Stripe remembers the old "
        "one for a day. Stripe takes usage of the last 35 days; older usage, and that whose "
        "invoice is final, becomes what billing.late says.",
    .options = retry_options,
    .settings = BILLING_ASK_SETTINGS,
    .run = run_retry,
};
