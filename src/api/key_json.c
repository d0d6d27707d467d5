#include "api/key_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/query.h"
#include "base/clock.h"
#include "limits/domains.h"
#include "limits/money.h"
#include "limits/networks.h"

#include "base/poison.h"

enum { RATE_MAX = 10000, RUNNING_MAX = 10000 };

struct reading {
    const json_t *object;
    int64_t now;
    struct dc_arena *arena;
    struct store_key_change *change;
    struct problems *problems;
    struct dc_err *err;
};

/* ---- reading ---- */

/* The member, marked as named; NULL when it is absent. */
static const json_t *member(struct reading *reading, const char *name, uint32_t field)
{
    const json_t *value = json_object_get(reading->object, name);

    if (value)
        reading->change->fields |= field;
    return value;
}

static int fail_memory(struct reading *reading)
{
    return dc_fail(reading->err, DC_KERNEL, ENOMEM, "a key");
}

static int read_name(struct reading *reading)
{
    const json_t *value = member(reading, "name", STORE_KEY_NAME);

    reading->change->name = "";
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_string(value) || json_string_length(value) > STORE_NAME_MAX_BYTES ||
        strlen(json_string_value(value)) != json_string_length(value)) {
        problems_add(reading->problems, PROBLEM_VALUE, "name", "must be a text of at most %d bytes",
                     STORE_NAME_MAX_BYTES);
        return 0;
    }
    for (const char *at = json_string_value(value); *at; at++) {
        if ((unsigned char)*at >= 0x20 && *at != 0x7f)
            continue;
        problems_add(reading->problems, PROBLEM_VALUE, "name", "holds control characters");
        return 0;
    }
    reading->change->name =
        dc_arena_copy(reading->arena, json_string_value(value), json_string_length(value));
    return reading->change->name ? 0 : fail_memory(reading);
}

static void read_scopes(struct reading *reading)
{
    const json_t *value = member(reading, "scopes", STORE_KEY_SCOPES);
    uint32_t scopes = 0;
    bool good = json_is_array(value);

    if (!value)
        return;
    for (size_t i = 0; good && i < json_array_size(value); i++) {
        const char *scope = json_string_value(json_array_get(value, i));

        good = scope && (strcmp(scope, "run") == 0 || strcmp(scope, "read") == 0);
        if (good)
            scopes |= strcmp(scope, "run") == 0 ? STORE_SCOPE_RUN : STORE_SCOPE_READ;
    }
    if (!good || !scopes)
        problems_add(reading->problems, PROBLEM_VALUE, "scopes",
                     "must be a list of \"run\", \"read\" or both");
    reading->change->rules.scopes = scopes;
}

static void read_expiry(struct reading *reading)
{
    const json_t *value = member(reading, "expiresAt", STORE_KEY_EXPIRY);
    const char *text = json_string_value(value);
    int64_t moment;

    if (!value || json_is_null(value))
        return;
    if (!text || !query_moment(text, &moment) || moment <= reading->now) {
        problems_add(reading->problems, PROBLEM_VALUE, "expiresAt",
                     "must be a moment to come, such as 2030-01-31T00:00:00Z (RFC 3339), or null");
        return;
    }
    reading->change->rules.expires_at = moment;
}

/* A list of texts, each taken by add; *ret_text stays NULL for none. */
static int read_list(struct reading *reading, const char *name, uint32_t field,
                     int (*add)(struct dc_buf *list, const char *text, size_t length,
                                struct dc_err *err),
                     const char **ret_text)
{
    const json_t *value = member(reading, name, field);
    DC_AUTO(dc_buf_release) struct dc_buf list;
    char path[64];

    dc_buf_init(&list, STORE_RULE_TEXT_MAX_BYTES);
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_array(value)) {
        problems_add(reading->problems, PROBLEM_TYPE, name, "must be a list of texts, or null");
        return 0;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *entry = json_array_get(value, i);
        struct dc_err why;

        (void)snprintf(path, sizeof(path), "%s[%zu]", name, i);
        if (!json_is_string(entry)) {
            problems_add(reading->problems, PROBLEM_TYPE, path, "must be a text");
            return 0;
        }
        if (add(&list, json_string_value(entry), json_string_length(entry), &why) < 0) {
            problems_add(reading->problems, why.code == DC_LIMIT ? PROBLEM_TOO_MANY : PROBLEM_VALUE,
                         path, "%s", why.text);
            return 0;
        }
    }
    if (!list.length)
        return 0;
    *ret_text = dc_arena_copy(reading->arena, list.data, list.length);
    return *ret_text ? 0 : fail_memory(reading);
}

static void read_number(struct reading *reading, const char *name, uint32_t field, uint32_t max,
                        uint32_t *ret_number)
{
    const json_t *value = member(reading, name, field);

    if (!value || json_is_null(value))
        return;
    if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > max)
        problems_add(reading->problems, PROBLEM_RANGE, name,
                     "must be a whole number from 1 to %u, or null", max);
    else
        *ret_number = (uint32_t)json_integer_value(value);
}

/* A number of JSON or a text, both decimal. */
static void read_budget(struct reading *reading)
{
    const json_t *value = member(reading, "monthlyBudget", STORE_KEY_BUDGET);
    const char *text = json_string_value(value);
    char digits[64];
    int64_t micros;

    if (!value || json_is_null(value))
        return;
    if (json_is_integer(value))
        (void)snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value)) /* the nearest millionth */
        (void)snprintf(digits, sizeof(digits), "%.6f", json_real_value(value));
    else
        (void)snprintf(digits, sizeof(digits), "%.60s", text ? text : "");
    if (!money_parse(digits, &micros) || !micros)
        problems_add(reading->problems, PROBLEM_VALUE, "monthlyBudget",
                     "must be an amount above 0 with at most six decimals, such as 12.5, or null");
    else
        reading->change->rules.budget_micros = micros;
}

static bool read_switch(struct reading *reading, const char *name, uint32_t field)
{
    const json_t *value = member(reading, name, field);

    if (value && !json_is_boolean(value))
        problems_add(reading->problems, PROBLEM_TYPE, name, "must be true or false");
    return json_is_true(value);
}

int key_json_parse(const json_t *object, int64_t now, struct dc_arena *arena,
                   struct store_key_change *ret_change, bool *ret_test, struct problems *problems,
                   struct dc_err *err)
{
    struct reading reading = {object, now, arena, ret_change, problems, err};
    struct store_key_rules *rules = &ret_change->rules;

    *ret_change = (struct store_key_change){.name = ""};
    if (!json_is_object(object)) {
        problems_add(problems, PROBLEM_TYPE, "", "must be a JSON object");
        return 0;
    }
    if (read_name(&reading) < 0 ||
        read_list(&reading, "allowedDomains", STORE_KEY_DOMAINS, domains_add, &rules->domains) <
            0 ||
        read_list(&reading, "allowedIps", STORE_KEY_NETWORKS, networks_add, &rules->networks) < 0)
        return -err->code;
    read_scopes(&reading);
    read_expiry(&reading);
    read_number(&reading, "rateLimitPerMinute", STORE_KEY_RATE, RATE_MAX, &rules->rate_per_minute);
    read_number(&reading, "maxConcurrentRuns", STORE_KEY_RUNNING, RUNNING_MAX, &rules->running_max);
    read_budget(&reading);
    rules->budget_stops = read_switch(&reading, "budgetStops", STORE_KEY_BUDGET_STOPS);
    if (ret_test)
        *ret_test = read_switch(&reading, "test", 0);
    return 0;
}

int key_json_parse_new(const json_t *object, int64_t now, struct dc_arena *arena,
                       struct store_key_new *ret_made, struct problems *problems,
                       struct dc_err *err)
{
    struct store_key_change change;
    bool test = false;

    if (key_json_parse(object, now, arena, &change, &test, problems, err) < 0)
        return -err->code;
    if (!(change.fields & STORE_KEY_RATE))
        change.rules.rate_per_minute = KEY_RATE_DEFAULT;
    *ret_made = (struct store_key_new){
        .name = change.name, .kind = test ? STORE_KEY_TEST : STORE_KEY_LIVE, .rules = change.rules};
    return 0;
}

/* ---- printing ---- */

static void print_text(struct dc_buf *out, const char *name, const char *text)
{
    (void)dc_buf_printf(out, ",\"%s\":", name);
    (void)dc_buf_json_string(out, text, strlen(text));
}

static void print_moment(struct dc_buf *out, const char *name, int64_t wall_ns)
{
    char text[25];

    if (!wall_ns) {
        (void)dc_buf_printf(out, ",\"%s\":null", name);
        return;
    }
    dc_format_iso8601(wall_ns, text);
    (void)dc_buf_printf(out, ",\"%s\":\"%s\"", name, text);
}

/* Empty: any. */
static void print_list(struct dc_buf *out, const char *name, const char *list)
{
    (void)dc_buf_printf(out, ",\"%s\":[", name);
    while (list && *list) {
        size_t length = strcspn(list, ",");

        (void)dc_buf_json_string(out, list, length);
        list += length;
        if (*list)
            (void)dc_buf_byte(out, *list++);
    }
    (void)dc_buf_byte(out, ']');
}

static void print_limit(struct dc_buf *out, const char *name, uint32_t value)
{
    if (value)
        (void)dc_buf_printf(out, ",\"%s\":%u", name, value);
    else
        (void)dc_buf_printf(out, ",\"%s\":null", name);
}

static void print_rules(const struct store_key_rules *rules, struct dc_buf *out)
{
    char amount[MONEY_SIZE];
    bool run = rules->scopes & STORE_SCOPE_RUN;
    bool read = rules->scopes & STORE_SCOPE_READ;

    (void)dc_buf_printf(out, ",\"scopes\":[%s%s%s]", run ? "\"run\"" : "", run && read ? "," : "",
                        read ? "\"read\"" : "");
    print_moment(out, "expires_at", rules->expires_at);
    print_list(out, "allowed_domains", rules->domains);
    print_list(out, "allowed_ips", rules->networks);
    print_limit(out, "rate_limit_per_minute", rules->rate_per_minute);
    print_limit(out, "max_concurrent_runs", rules->running_max);
    (void)dc_buf_printf(out, ",\"monthly_budget\":%s",
                        rules->budget_micros ? money_print(rules->budget_micros, amount) : "null");
    (void)dc_buf_printf(out, ",\"budget_stops\":%s", rules->budget_stops ? "true" : "false");
}

void key_json_print(const struct store_key *key, int64_t now, struct dc_buf *out)
{
    (void)dc_buf_printf(out, "{\"id\":\"%s\"", key->id);
    print_text(out, "name", key->name);
    print_text(out, "prefix", key->prefix);
    print_text(out, "key_prefix", key->prefix);
    (void)dc_buf_printf(out, ",\"is_active\":%s,\"test\":%s",
                        store_key_active(key, now) ? "true" : "false",
                        key->kind == STORE_KEY_TEST ? "true" : "false");
    print_moment(out, "last_used_at", key->last_used_at);
    print_moment(out, "created_at", key->created_at);
    print_moment(out, "revoked_at", key->revoked_at);
    print_rules(&key->rules, out);
    if (key->rolled_to[0])
        print_text(out, "rolled_to", key->rolled_to);
    else
        (void)dc_buf_text(out, ",\"rolled_to\":null");
    (void)dc_buf_byte(out, '}');
}
