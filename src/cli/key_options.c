#include "cli/key_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/query.h"
#include "base/clock.h"
#include "limits/domains.h"
#include "limits/money.h"
#include "limits/networks.h"
#include "store/audit.h"

#include "base/poison.h"

enum { RATE_MAX = 10000, RUNNING_MAX = 10000, DAYS_MAX = 36500 };

enum {
    TAKE_NAME,
    TAKE_SCOPES,
    TAKE_EXPIRES,
    TAKE_DOMAINS,
    TAKE_NETWORKS,
    TAKE_RATE,
    TAKE_RUNNING,
    TAKE_BUDGET,
    TAKE_BUDGET_STOPS,
};

void key_options_init(struct key_options *options)
{
    *options = (struct key_options){.change = {.name = ""}};
    dc_buf_init(&options->domains, STORE_RULE_TEXT_MAX_BYTES);
    dc_buf_init(&options->networks, STORE_RULE_TEXT_MAX_BYTES);
}

void key_options_release(struct key_options *options)
{
    dc_buf_release(&options->domains);
    dc_buf_release(&options->networks);
}

static bool is_none(const char *value)
{
    return strcmp(value, "none") == 0;
}

static int take_scopes(const char *value, uint32_t *ret_scopes, struct dc_err *err)
{
    *ret_scopes = 0;
    while (*value) {
        size_t length = strcspn(value, ",");

        if (length == 3 && memcmp(value, "run", 3) == 0)
            *ret_scopes |= STORE_SCOPE_RUN;
        else if (length == 4 && memcmp(value, "read", 4) == 0)
            *ret_scopes |= STORE_SCOPE_READ;
        else
            break;
        value += length + (value[length] == ',');
    }
    if (*value || !*ret_scopes)
        return dc_fail(err, DC_INVALID, 0, "--scopes takes run, read, or run,read");
    return 0;
}

int key_duration(const char *text, int64_t *ret_ns, struct dc_err *err)
{
    static const char units[] = "smhd";
    static const int64_t seconds[] = {1, 60, 3600, 86400};
    size_t digits = strspn(text, "0123456789");
    const char *unit = text[digits] ? strchr(units, text[digits]) : NULL;
    int64_t value = digits && digits <= 9 ? strtol(text, NULL, 10) : -1;

    if (value < 0 || (!unit && value) || (unit && text[digits + 1]) || (!unit && text[digits]))
        return dc_fail(err, DC_INVALID, 0, "'%.40s' is no time such as 90d, 12h, 30m or 45s", text);
    if (unit)
        value *= seconds[unit - units];
    if (value > DAYS_MAX * INT64_C(86400))
        return dc_fail(err, DC_INVALID, 0, "'%.40s' is longer than a hundred years", text);
    *ret_ns = value * DC_NS_PER_S;
    return 0;
}

static int take_expiry(const char *value, int64_t *ret_moment, struct dc_err *err)
{
    int64_t now = dc_wall_now();
    int64_t ns;

    if (!query_moment(value, ret_moment)) {
        if (key_duration(value, &ns, err) < 0)
            return dc_context(err, "--expires");
        *ret_moment = now + ns;
    }
    if (*ret_moment <= now)
        return dc_fail(err, DC_INVALID, 0, "--expires: '%.40s' is not to come", value);
    return 0;
}

static int take_list(struct dc_buf *list, const char *value,
                     int (*add)(struct dc_buf *list, const char *text, size_t length,
                                struct dc_err *err),
                     const char **ret_text, struct dc_err *err)
{
    dc_buf_consume(list, list->length);
    while (*value) {
        size_t length = strcspn(value, ",");

        if (add(list, value, length, err) < 0)
            return -err->code;
        value += length + (value[length] == ',');
    }
    *ret_text = list->length ? list->data : NULL;
    return 0;
}

static int take_yes(const char *value, bool *ret_yes, struct dc_err *err)
{
    *ret_yes = strcmp(value, "yes") == 0;
    if (!*ret_yes && strcmp(value, "no") != 0)
        return dc_fail(err, DC_INVALID, 0, "--budget-stops takes yes or no");
    return 0;
}

static int take_budget(const char *value, int64_t *ret_micros, struct dc_err *err)
{
    if (!money_parse(value, ret_micros) || !*ret_micros)
        return dc_fail(err, DC_INVALID, 0, "--budget: '%.40s' is no amount such as 12.50", value);
    return 0;
}

int key_options_take(struct key_options *options, int option, const char *value, struct dc_err *err)
{
    struct store_key_rules *rules = &options->change.rules;

    if (option == KEY_OPTION_TEST) {
        options->test = true;
        return 0;
    }
    options->change.fields |= 1u << option; /* in the order of enum store_key_fields */
    if (option != TAKE_NAME && option != TAKE_SCOPES && option != TAKE_BUDGET_STOPS &&
        is_none(value))
        return 0;
    switch (option) {
    case TAKE_NAME:
        options->change.name = value;
        return 0;
    case TAKE_SCOPES:
        return take_scopes(value, &rules->scopes, err);
    case TAKE_EXPIRES:
        return take_expiry(value, &rules->expires_at, err);
    case TAKE_DOMAINS:
        return take_list(&options->domains, value, domains_add, &rules->domains, err);
    case TAKE_NETWORKS:
        if (take_list(&options->networks, value, networks_add, &rules->networks, err) < 0)
            return dc_context(err, "--ips: an entry");
        return 0;
    case TAKE_RATE:
        return cli_number(value, 1, RATE_MAX, &rules->rate_per_minute, err);
    case TAKE_RUNNING:
        return cli_number(value, 1, RUNNING_MAX, &rules->running_max, err);
    case TAKE_BUDGET:
        return take_budget(value, &rules->budget_micros, err);
    default:
        return take_yes(value, &rules->budget_stops, err);
    }
}

int key_options_fill_new(const struct key_options *options, struct store_key_new *ret_made,
                         struct dc_err *err)
{
    (void)err;
    *ret_made = (struct store_key_new){
        .name = options->change.name,
        .kind = options->test ? STORE_KEY_TEST : STORE_KEY_LIVE,
        .rules = options->change.rules,
    };
    if (options->test && !(options->change.fields & STORE_KEY_RATE))
        ret_made->rules.rate_per_minute = 60; /* free, but not without measure */
    return 0;
}

int key_find(struct store_conn *conn, const char *wanted, char id[static DC_UUID_SIZE],
             struct dc_err *err)
{
    DC_AUTO(dc_free) struct store_key *list = NULL;
    size_t count;
    size_t found = 0;

    if (store_keys_list(conn, NULL, &list, &count, err) < 0)
        return -err->code;
    for (size_t i = 0; i < count; i++) {
        bool matches = strcmp(list[i].id, wanted) == 0 ||
                       (strcmp(list[i].prefix, wanted) == 0 && !list[i].revoked_at);

        if (matches)
            memcpy(id, list[i].id, DC_UUID_SIZE);
        found += matches;
    }
    if (found == 0)
        return dc_fail(err, DC_NOT_FOUND, 0, "no key '%.64s'; docle keys list shows them", wanted);
    if (found > 1)
        return dc_fail(err, DC_INVALID, 0, "%zu active keys begin with '%.64s'; give the id", found,
                       wanted);
    return 0;
}

int key_audit(struct store_conn *conn, const char *project_id, const char *action,
              const char *target, struct dc_err *err)
{
    return store_audit_add(conn,
                           &(struct store_audit){.project_id = project_id,
                                                 .actor = "operator (command line)",
                                                 .action = action,
                                                 .target = target,
                                                 .address = "",
                                                 .at = dc_wall_now()},
                           err);
}

/* ---- printing ---- */

void key_rules_print(const struct store_key_rules *rules, struct dc_buf *out)
{
    char moment[25];
    char amount[MONEY_SIZE];
    const char *sep = "  [";

    if (rules->scopes != STORE_SCOPES_ALL) {
        dc_buf_printf(out, "%s%s", sep, rules->scopes == STORE_SCOPE_RUN ? "run" : "read");
        sep = "; ";
    }
    if (rules->expires_at) {
        dc_format_iso8601(rules->expires_at, moment);
        dc_buf_printf(out, "%suntil %s", sep, moment);
        sep = "; ";
    }
    if (rules->domains || rules->networks) {
        dc_buf_printf(out, "%sfrom %s%s%s", sep, rules->domains ? rules->domains : "",
                      rules->domains && rules->networks ? " at " : "",
                      rules->networks ? rules->networks : "");
        sep = "; ";
    }
    if (rules->rate_per_minute) {
        dc_buf_printf(out, "%s%u/min", sep, rules->rate_per_minute);
        sep = "; ";
    }
    if (rules->running_max) {
        dc_buf_printf(out, "%s%u at once", sep, rules->running_max);
        sep = "; ";
    }
    if (rules->budget_micros) {
        dc_buf_printf(out, "%s%s/month%s", sep, money_print(rules->budget_micros, amount),
                      rules->budget_stops ? ", stops" : "");
        sep = "; ";
    }
    if (*sep == ';')
        dc_buf_byte(out, ']');
}

static void json_number(struct dc_buf *out, const char *name, uint32_t value)
{
    if (value)
        dc_buf_printf(out, ",\"%s\":%u", name, value);
    else
        dc_buf_printf(out, ",\"%s\":null", name);
}

static void json_list(struct dc_buf *out, const char *name, const char *list)
{
    dc_buf_printf(out, ",\"%s\":[", name);
    while (list && *list) {
        size_t length = strcspn(list, ",");

        dc_buf_json_string(out, list, length);
        list += length;
        if (*list)
            dc_buf_byte(out, *list++);
    }
    dc_buf_byte(out, ']');
}

void key_rules_print_json(const struct store_key *key, struct dc_buf *out)
{
    const struct store_key_rules *rules = &key->rules;
    char text[25];

    dc_buf_printf(out, ",\"test\":%s,\"scopes\":[%s%s%s]",
                  key->kind == STORE_KEY_TEST ? "true" : "false",
                  rules->scopes & STORE_SCOPE_RUN ? "\"run\"" : "",
                  rules->scopes == STORE_SCOPES_ALL ? "," : "",
                  rules->scopes & STORE_SCOPE_READ ? "\"read\"" : "");
    dc_buf_text(out, ",\"expiresAt\":");
    if (rules->expires_at) {
        dc_format_iso8601(rules->expires_at, text);
        dc_buf_json_string(out, text, strlen(text));
    } else {
        dc_buf_text(out, "null");
    }
    json_list(out, "allowedDomains", rules->domains);
    json_list(out, "allowedIps", rules->networks);
    json_number(out, "rateLimitPerMinute", rules->rate_per_minute);
    json_number(out, "maxConcurrentRuns", rules->running_max);
    dc_buf_printf(out, ",\"monthlyBudget\":%s",
                  rules->budget_micros ? money_print(rules->budget_micros, text) : "null");
    dc_buf_printf(out, ",\"budgetStops\":%s", rules->budget_stops ? "true" : "false");
    if (key->rolled_to[0])
        dc_buf_printf(out, ",\"rolledTo\":\"%s\"", key->rolled_to);
    else
        dc_buf_text(out, ",\"rolledTo\":null");
}
