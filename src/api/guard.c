#include "api/guard.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/app_internal.h"
#include "api/auth.h"
#include "base/clock.h"
#include "limits/networks.h"
#include "store/hash.h"

#include "base/poison.h"

enum { TEXT_MAX = 192, SHARES_PER_MINUTE = 20 };

static const char rate_limited[] = "Rate limit exceeded";

static void forbid(struct call *call, const char *error, const char *code, const char *message)
{
    call_fail(call, &(struct call_error){
                        .status = 403, .error = error, .code = code, .message = message});
}

/* A text that lives as long as the call; NULL without memory, and the field is left out. */
static const char *keep(struct call *call, const char *text)
{
    return dc_arena_copy(&call->arena, text, strlen(text));
}

/* ---- origins ---- */

/* An Origin is scheme, host and port, and nothing behind them. */
static bool is_bare(const char *origin)
{
    const char *host = strstr(origin, "://");

    return host && !strpbrk(host + 3, "/?#");
}

/* The page that asks, by what the browser says: its Origin, or, where there is none, the Referer.
 * False: it says nothing that is a page of the web. */
static bool asking_host(const struct call *call, char host[static DOMAIN_SIZE])
{
    const char *origin = call_header(call, "Origin");
    const char *referer = call_header(call, "Referer");

    if (origin)
        return is_bare(origin) && origin_host(origin, host);
    return referer && origin_host(referer, host);
}

static void allow_origin(struct call *call)
{
    const char *origin = call_header(call, "Origin");

    if (!origin)
        return;
    call_add_field(call, "Access-Control-Allow-Origin", origin);
    call_add_field(call, "Access-Control-Expose-Headers",
                   "Idempotent-Replayed, RateLimit, RateLimit-Policy, Retry-After, "
                   "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id");
}

static bool check_origin(struct call *call, const struct store_key *key)
{
    char host[DOMAIN_SIZE];

    if (!key->rules.domains)
        return true;
    if (asking_host(call, host) && domains_match(key->rules.domains, host)) {
        allow_origin(call);
        return true;
    }
    forbid(call, "Origin not allowed", "origin_not_allowed",
           "The key may be used by pages of its allowed domains alone, as the headers Origin or "
           "Referer say. Use another key elsewhere, or add the domain to this one.");
    return false;
}

bool guard_is_preflight(const struct call *call)
{
    return strcmp(call->method, "OPTIONS") == 0 &&
           call_header(call, "Access-Control-Request-Method") != NULL;
}

void guard_preflight(struct call *call)
{
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};
    struct call_head head = {.status = 204};
    char host[DOMAIN_SIZE];
    struct dc_err err;

    call_add_field(call, "Vary",
                   "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
    if (!guard_open(call))
        return;
    if (auth_refresh(call->app, &err) < 0) {
        call_fail_err(call, &err, "keys could not be loaded");
        return;
    }
    if (asking_host(call, host) && domain_set_match(&call->app->keys.domains, host)) {
        call_add_field(call, "Access-Control-Allow-Origin", call_header(call, "Origin"));
        call_add_field(call, "Access-Control-Allow-Methods", "GET, HEAD, POST");
        call_add_field(call, "Access-Control-Allow-Headers",
                       "Accept, Authorization, Content-Type, Idempotency-Key");
        call_add_field(call, "Access-Control-Max-Age", "600");
    }
    call_reply(call, &head, &body);
}

/* ---- addresses ---- */

static bool check_address(struct call *call, const struct store_key *key)
{
    struct http_address client;

    if (!key->rules.networks)
        return true;
    call_client(call, &client);
    if (networks_match(key->rules.networks, &client))
        return true;
    forbid(call, "Address not allowed", "address_not_allowed",
           "The key may be used from its allowed addresses alone. Behind a proxy, its address has "
           "to be among the server's trusted_proxies.");
    return false;
}

/* ---- rates ---- */

static int64_t seconds_of(int64_t ns)
{
    return (ns + DC_NS_PER_S - 1) / DC_NS_PER_S;
}

/* Adds a field, or gives the one that is there another value. */
static void set_field(struct call *call, const char *name, const char *text)
{
    const char *value = keep(call, text);

    for (size_t i = 0; value && i < call->added_count; i++)
        if (strcmp(call->added[i].name, name) == 0) {
            call->added[i].value = value;
            return;
        }
    call_add_field(call, name, value);
}

/* Adds a member to a field that is a list (RFC 9651). */
static void append_field(struct call *call, const char *name, const char *member)
{
    char list[2 * TEXT_MAX];

    for (size_t i = 0; i < call->added_count; i++)
        if (strcmp(call->added[i].name, name) == 0) {
            (void)snprintf(list, sizeof(list), "%s, %s", call->added[i].value, member);
            set_field(call, name, list);
            return;
        }
    set_field(call, name, member);
}

/* The original's fields, of the rate that has least left, and those of
 * draft-ietf-httpapi-ratelimit-headers-10, of every rate. */
static void tell_rate(struct call *call, const char *policy, const struct rate_verdict *verdict)
{
    char text[TEXT_MAX];

    if (!call->rate_told || !verdict->allowed || verdict->remaining < call->rate_remaining) {
        (void)snprintf(text, sizeof(text), "%u", verdict->limit);
        set_field(call, "X-RateLimit-Limit", text);
        (void)snprintf(text, sizeof(text), "%u", verdict->remaining);
        set_field(call, "X-RateLimit-Remaining", text);
        (void)snprintf(text, sizeof(text), "%" PRId64,
                       (call->begun_ns + verdict->wait_ns) / DC_NS_PER_MS + 1);
        set_field(call, "X-RateLimit-Reset", text);
        call->rate_told = true;
        call->rate_remaining = verdict->remaining;
    }
    (void)snprintf(text, sizeof(text), "\"%s\";q=%u;w=%d", policy, verdict->limit, RATE_WINDOW_S);
    append_field(call, "RateLimit-Policy", text);
    (void)snprintf(text, sizeof(text), "\"%s\";r=%u;t=%" PRId64, policy, verdict->remaining,
                   seconds_of(verdict->wait_ns));
    append_field(call, "RateLimit", text);
}

/* Everything of the 429 but the status' sending. */
static struct call_error rate_error(struct call *call, const char *whose,
                                    const struct rate_verdict *verdict)
{
    char message[TEXT_MAX];
    char extra[TEXT_MAX];
    const char *kept_message;
    int64_t seconds = seconds_of(verdict->wait_ns);

    (void)snprintf(message, sizeof(message),
                   "%s may send %u requests in a minute; try again in %" PRId64 " seconds.", whose,
                   verdict->limit, seconds);
    (void)snprintf(extra, sizeof(extra), ",\"limit\":%u,\"remaining\":0,\"reset_at\":%" PRId64,
                   verdict->limit, (call->begun_ns + verdict->wait_ns) / DC_NS_PER_MS + 1);
    kept_message = keep(call, message);
    return (struct call_error){.status = 429,
                               .error = rate_limited,
                               .code = "rate_limited",
                               .message = kept_message ? kept_message : rate_limited,
                               .extra = keep(call, extra),
                               .retry_after_s = (uint32_t)seconds};
}

static void id_of(const char *one, const char *two, uint8_t id[static RATE_ID_BYTES])
{
    struct {
        char one[DC_UUID_SIZE];
        char two[DC_USER_ID_MAX_BYTES + 1];
    } whole = {0};
    uint8_t hash[STORE_HASH_BYTES];

    (void)snprintf(whole.one, sizeof(whole.one), "%s", one);
    (void)snprintf(whole.two, sizeof(whole.two), "%s", two);
    store_sha256(&whole, sizeof(whole), hash);
    memcpy(id, hash, RATE_ID_BYTES);
}

static bool check_rate(struct call *call, const struct store_key *key)
{
    struct rate_verdict verdict;
    struct call_error failure;
    uint8_t id[RATE_ID_BYTES];

    if (!key->rules.rate_per_minute)
        return true;
    memcpy(id, key->hash, sizeof(id)); /* as random as anything */
    rate_take(call->app->key_rates, id, key->rules.rate_per_minute, dc_now(), &verdict);
    tell_rate(call, "key", &verdict);
    if (verdict.allowed)
        return true;
    failure = rate_error(call, "This key", &verdict);
    call_fail(call, &failure);
    return false;
}

bool guard_user(struct call *call, const char *user_id, struct call_error *ret_failure)
{
    uint32_t limit = call->project_rules.user_rate_per_minute
                         ? call->project_rules.user_rate_per_minute
                         : call->app->options.rates.user_per_minute;
    struct rate_verdict verdict;
    uint8_t id[RATE_ID_BYTES];

    if (!limit || !user_id)
        return true;
    id_of(call->project_id, user_id, id);
    rate_take(call->app->user_rates, id, limit, dc_now(), &verdict);
    tell_rate(call, "user", &verdict);
    if (verdict.allowed)
        return true;
    *ret_failure = rate_error(call, "This end user", &verdict);
    return false;
}

/* What counts as one address: of IPv6, what one subscriber has. */
static void client_of(const struct call *call, struct http_address *ret_client)
{
    call_client(call, ret_client);
    if (!http_address_is_v4(ret_client))
        memset(ret_client->bytes + 8, 0, 8);
}

bool guard_anonymous(struct call *call)
{
    struct rate_verdict verdict;
    struct call_error failure;
    struct http_address client;

    client_of(call, &client);
    rate_take(call->app->anonymous_rates, client.bytes, call->app->options.anonymous.per_minute,
              dc_now(), &verdict);
    tell_rate(call, "anonymous", &verdict);
    if (verdict.allowed)
        return true;
    failure = rate_error(call, "Without an account your address", &verdict);
    call_fail(call, &failure);
    return false;
}

bool guard_shares(struct call *call)
{
    struct rate_verdict verdict;
    struct call_error failure;
    uint8_t id[RATE_ID_BYTES];

    id_of(call->session->user.id, "shares", id);
    rate_take(call->app->user_rates, id, SHARES_PER_MINUTE, dc_now(), &verdict);
    if (verdict.allowed)
        return true;
    tell_rate(call, "shares", &verdict);
    failure = rate_error(call, "Somebody who shares programs", &verdict);
    call_fail(call, &failure);
    return false;
}

bool guard_open(struct call *call)
{
    static const char *const probes[] = {"/healthz", "/readyz", "/metrics"};
    uint32_t limit = call->app->options.rates.open_per_minute;
    struct rate_verdict verdict;
    struct call_error failure;
    struct http_address client;

    for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++)
        if (strcmp(call->path, probes[i]) == 0)
            return true;
    call_client(call, &client);
    if (!limit || http_address_is_loopback(&client))
        return true;
    client_of(call, &client);
    rate_take(call->app->address_rates, client.bytes, limit, dc_now(), &verdict);
    if (verdict.allowed)
        return true;
    tell_rate(call, "address", &verdict);
    failure = rate_error(call, "Your address", &verdict);
    call_fail(call, &failure);
    return false;
}

/* ---- keys ---- */

static bool is_reading(const struct call *call)
{
    return strcmp(call->method, "GET") == 0 || strcmp(call->method, "HEAD") == 0;
}

static bool check_scope(struct call *call, const struct store_key *key)
{
    uint32_t needed = is_reading(call) ? STORE_SCOPE_READ : STORE_SCOPE_RUN;

    if (key->rules.scopes & needed)
        return true;
    forbid(call, "Not allowed for this key", "scope_missing",
           needed == STORE_SCOPE_READ
               ? "The key may not read results, lists or usage; use one with the scope read."
               : "The key may not start or cancel runs; use one with the scope run.");
    return false;
}

static bool check_project(struct call *call, const struct store_project *project)
{
    if (project && !project->suspended_at)
        return true;
    forbid(call, "Project suspended", "project_suspended",
           "The project was suspended by the operator of this server; ask there.");
    return false;
}

bool guard_key(struct call *call, const struct store_key *key)
{
    const struct store_project *project = key_table_project(&call->app->keys, key->project_id);

    call_add_field(call, "Vary", "Origin");
    if (!check_origin(call, key) || !check_address(call, key) || !check_project(call, project) ||
        !check_scope(call, key) || !check_rate(call, key))
        return false;
    memcpy(call->key_id, key->id, sizeof(call->key_id));
    memcpy(call->project_id, key->project_id, sizeof(call->project_id));
    call->key_kind = key->kind;
    call->key_rules = key->rules;
    call->key_rules.domains = call->key_rules.networks = NULL;
    call->plan = project->plan;
    call->project_rules = project->rules;
    key_table_use(&call->app->keys, key, call->begun_ns);
    return true;
}

bool guard_session(struct call *call)
{
    const struct store_project *project;
    struct dc_err err;

    if (auth_refresh(call->app, &err) < 0) {
        call_fail_err(call, &err, "projects could not be loaded");
        return false;
    }
    project = key_table_project(&call->app->keys, call->project_id);
    if (!check_project(call, project))
        return false;
    call->plan = project->plan;
    call->project_rules = project->rules;
    return true;
}
