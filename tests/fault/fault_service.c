#include "fault_service.h"

#include <ftw.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "net/task.h"

enum { HANGS_MS = 40000, LAST_TURNS = 100 };

struct peer service_peer;
char service_path[96];
struct store_project service_project;
static char folder[64];
static char ca_file[96];

static int remove_entry(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(name);
}

/* Some certificate, so that not all of the system's are read each time. */
static bool write_certificate(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    FILE *file = fopen(ca_file, "we");
    bool good = key && certificate && file && X509_set_pubkey(certificate, key) &&
                X509_gmtime_adj(X509_getm_notBefore(certificate), 0) &&
                X509_gmtime_adj(X509_getm_notAfter(certificate), 86400) &&
                X509_sign(certificate, key, EVP_sha256()) && PEM_write_X509(file, certificate);

    X509_free(certificate);
    EVP_PKEY_free(key);
    return file && fclose(file) == 0 && good;
}

bool service_prepare(bool store)
{
    DC_AUTO(store_conn_free) struct store_conn *conn = NULL;
    struct dc_err err = {0};

    (void)snprintf(folder, sizeof(folder), "%s/docle-fault-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!peer_start(&service_peer) || !mkdtemp(folder))
        return false;
    (void)snprintf(service_path, sizeof(service_path), "%s/docle.db", folder);
    (void)snprintf(ca_file, sizeof(ca_file), "%s/ca.pem", folder);
    if (!write_certificate())
        return false;
    if (!store || (store_open(service_path, &conn, &err) == 0 &&
                   store_project_ensure(conn, "default", 1, &service_project, &err) == 0))
        return true;
    printf("# %s\n", err.text);
    return false;
}

void service_clean(void)
{
    (void)nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- one world ---- */

static void on_watchdog(uv_timer_t *timer)
{
    ((struct service *)timer->data)->hangs = true;
}

int service_open(struct service *service, bool store, struct dc_err *err)
{
    const struct outbound_options options = {.ca_file = ca_file};

    *service = (struct service){0};
    if (uv_loop_init(&service->loop) < 0)
        abort();
    (void)uv_timer_init(&service->loop, &service->watchdog);
    service->watchdog.data = service;
    (void)uv_timer_start(&service->watchdog, on_watchdog, HANGS_MS, 0);
    if (store && store_worker_start(service_path, &service->worker, err) < 0)
        return -err->code;
    if (outbound_new(&options, &service->outbound, err) < 0)
        return -err->code;
    return outbound_start(service->outbound, &service->loop, err);
}

void service_run(struct service *service, bool (*done)(void *context), void *context)
{
    while (!service->hangs && !done(context))
        (void)uv_run(&service->loop, UV_RUN_ONCE);
}

void service_stop(struct service *service)
{
    if (!service->stopped)
        outbound_stop(service->outbound);
    service->stopped = true;
}

int service_close(struct service *service, int result, struct dc_err *err)
{
    service_stop(service);
    uv_close((uv_handle_t *)&service->watchdog, NULL);
    for (int i = 0; i < LAST_TURNS && uv_loop_alive(&service->loop); i++)
        (void)uv_run(&service->loop, UV_RUN_ONCE);
    store_worker_free(service->worker);
    (void)uv_run(&service->loop, UV_RUN_NOWAIT);
    outbound_free(service->outbound);
    task_release_kept();
    if (uv_loop_close(&service->loop) < 0)
        return dc_fail(err, DC_BUG, 0, "handles are left");
    if (service->hangs)
        return dc_fail(err, DC_BUG, 0, "it hangs");
    return result;
}

/* ---- straight from the file ---- */

long service_number(const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    long value = -1;

    if (sqlite3_open_v2(service_path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        sqlite3_busy_timeout(db, 10000) == SQLITE_OK &&
        sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        value = (long)sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
    return value;
}

bool service_sql(const char *sql)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(service_path, &db, SQLITE_OPEN_READWRITE, NULL);

    (void)sqlite3_busy_timeout(db, 10000);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    (void)sqlite3_close(db);
    return rc == SQLITE_OK;
}
