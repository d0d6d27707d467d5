#include "api/auth.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/anonymous.h"
#include "api/app_internal.h"
#include "api/guard.h"
#include "api/route_table.h"
#include "api/session.h"
#include "base/clock.h"
#include "base/log.h"
#include "runs/await.h"
#include "store/hash.h"

#include "base/poison.h"

enum { USES_MAX = 256, REFRESH_TRIES = 100 };

struct loading {
    struct store_key *keys;
    size_t count;
    int64_t version;
    struct store_project *projects;
    size_t project_count;
};

static int run_load(struct store_conn *conn, void *arg, struct dc_err *err)
{
    struct loading *loading = arg;

    if (store_keys_load(conn, &loading->keys, &loading->count, &loading->version, err) < 0)
        return -err->code;
    if (store_projects_list(conn, &loading->projects, &loading->project_count, err) == 0)
        return 0;
    free(loading->keys);
    loading->keys = NULL;
    return -err->code;
}

static int load(struct app *app, struct dc_err *err)
{
    uint64_t mark = store_watch_value(&app->watch); /* before the load: a change during it shows */
    struct loading loading = {0};

    if (await_store(app->worker, AWAIT_READ, run_load, &loading, err) < 0)
        return dc_context(err, "load keys");
    if (app->keys_loaded && loading.version < app->keys_version) {
        free(loading.projects);
        free(loading.keys); /* another task has loaded a later state meanwhile */
        return 0;
    }
    if (key_table_replace(&app->keys, loading.keys, loading.count, err) < 0) {
        free(loading.keys);
        free(loading.projects);
        return -err->code;
    }
    key_table_set_projects(&app->keys, loading.projects, loading.project_count);
    app->keys_version = loading.version;
    app->keys_mark = mark;
    app->keys_loaded = true;
    return 0;
}

static bool is_current(const struct app *app)
{
    return app->keys_loaded && store_watch_value(&app->watch) == app->keys_mark;
}

int auth_refresh(struct app *app, struct dc_err *err)
{
    /* Bounded: keys that change without pause must not hold up everybody for ever. */
    for (int i = 0; i < REFRESH_TRIES && !is_current(app); i++)
        if (load(app, err) < 0)
            return -err->code;
    if (!is_current(app))
        return dc_fail(err, DC_BUSY, 0, "keys change too fast");
    return 0;
}

static void refuse(struct call *call, const char *error, const char *code, const char *message)
{
    call_fail(call, &(struct call_error){.status = 401,
                                         .error = error,
                                         .code = code,
                                         .message = message,
                                         .field = {"WWW-Authenticate", "Bearer realm=\"docle\""}});
}

/* What follows "Bearer", or the value as it is. */
static const char *credentials(const char *value)
{
    static const char scheme[] = "Bearer";

    if (strncasecmp(value, scheme, sizeof(scheme) - 1) == 0 &&
        (value[sizeof(scheme) - 1] == ' ' || value[sizeof(scheme) - 1] == '\0')) {
        value += sizeof(scheme) - 1;
        value += strspn(value, " ");
    }
    return value;
}

const char *auth_credentials(const struct call *call)
{
    const char *value = call_header(call, "Authorization");

    if (!value || !*credentials(value))
        return NULL;
    return credentials(value);
}

void auth_refuse_session(struct call *call, bool given)
{
    if (given)
        refuse(call, "Invalid or expired session", "invalid_session", "Sign in again, at /login.");
    else
        refuse(call, "Not authenticated", "not_authenticated", "Sign in, at /login.");
}

static bool check_key(struct call *call)
{
    struct app *app = call->app;
    const char *value = call_header(call, "Authorization");
    const struct store_key *key;
    struct dc_err err;

    if (!value || !*credentials(value)) {
        if (!guard_open(call))
            return false;
        refuse(call, "Missing Authorization header", "missing_api_key",
               "Send \"Authorization: Bearer sk_live_…\" with a key of your project; `docle keys "
               "create` makes one.");
        return false;
    }
    if (auth_refresh(app, &err) < 0) {
        call_fail_err(call, &err, "keys could not be loaded");
        return false;
    }
    key = key_table_find(&app->keys, credentials(value), strlen(credentials(value)));
    if (!key && !guard_open(call))
        return false;
    if (!key) {
        refuse(call, "Invalid API key", "invalid_api_key",
               "The key is unknown or revoked. Check that it was copied whole, or make a new one "
               "with `docle keys create`.");
        return false;
    }
    if (key->rules.expires_at && key->rules.expires_at <= call->begun_ns) {
        refuse(
            call, "Invalid API key", "expired_api_key",
            "The key has expired. Make a new one, in the dashboard or with `docle keys create`.");
        return false;
    }
    return guard_key(call, key);
}

bool auth_admit(struct call *call, const struct route *route)
{
    uint8_t hash[STORE_HASH_BYTES];
    bool by_cookie;
    bool person;

    if (route->access == ROUTE_OPEN)
        return guard_open(call);
    person = session_token(call, hash, &by_cookie);
    if (route->access == ROUTE_CALLER && !person && anonymous_is(call, route))
        return anonymous_admit(call, route);
    if (route->access == ROUTE_CALLER)
        return person ? session_admit(call, route) : check_key(call);
    if (person || by_cookie)
        return session_admit(call, route);
    if (!check_key(call))
        return false;
    call_fail(call, &(struct call_error){.status = 403,
                                         .error = "Forbidden",
                                         .code = "session_required",
                                         .message = "An API key runs programs; this needs somebody "
                                                    "who has signed in."});
    return false;
}

bool auth_is_metrics_token(const struct call *call)
{
    const char *wanted = call->app->options.metrics_token;
    const char *value = call_header(call, "Authorization");
    uint8_t one[STORE_HASH_BYTES];
    uint8_t two[STORE_HASH_BYTES];

    if (!wanted || !*wanted || !value)
        return false;
    value = credentials(value);
    store_sha256(wanted, strlen(wanted), one); /* so that the time does not tell the length */
    store_sha256(value, strlen(value), two);
    return store_equal(one, two, sizeof(one));
}

/* ---- upkeep ---- */

static int run_version(struct store_conn *conn, void *arg, struct dc_err *err)
{
    return store_keys_version(conn, arg, err);
}

static void check_version(struct app *app)
{
    int64_t version = 0;
    struct dc_err err;

    if (await_store(app->worker, AWAIT_READ, run_version, &version, &err) < 0 ||
        (version != app->keys_version && load(app, &err) < 0))
        dc_log_err(DC_LOG_ERROR, NULL, &err, "keys could not be checked for changes");
}

struct touching {
    struct store_key_use uses[USES_MAX];
    size_t count;
};

static int run_touch(struct store_conn *conn, void *arg, struct dc_err *err)
{
    const struct touching *touching = arg;

    return store_keys_touch(conn, touching->uses, touching->count, err);
}

static void record_uses(struct app *app)
{
    DC_AUTO(dc_free) struct touching *touching = malloc(sizeof(*touching));
    struct dc_err err;

    if (!touching)
        return; /* next time */
    do {
        touching->count = key_table_collect(&app->keys, touching->uses, USES_MAX);
        if (touching->count &&
            await_store(app->worker, AWAIT_WRITE, run_touch, touching, &err) < 0) {
            dc_log_err(DC_LOG_WARN, NULL, &err, "last uses of keys could not be recorded");
            return;
        }
    } while (touching->count == USES_MAX);
}

void auth_upkeep(struct app *app)
{
    record_uses(app);
    check_version(app);
}
