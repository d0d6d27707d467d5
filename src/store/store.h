/*
 * The durable store: everything that must outlive the process. SQLite today; the SQL used is what
 * PostgreSQL takes too, and only db_sqlite.c and the migrations know the engine. Used by the API
 * process (through worker.h) and by the command line (directly). Never by the launcher.
 *
 * Lifecycle: store_open() makes or migrates the file once at start; each thread that works with it
 * then has a struct store_conn of its own (store_connect), used by one thread at a time. Functions
 * on a connection block on disk; on an event loop run them through worker.h.
 *
 * Conventions: identifiers are UUIDv7 text (base/uuid.h); times are int64_t nanoseconds UTC since
 * 1970 (dc_wall_now()), 0 where there is none; money is millionths of the currency's unit. A
 * function that writes is one transaction of its own, or joins the one that the worker has open.
 *
 * Codes to tell apart: DC_NOT_FOUND, DC_CONFLICT, DC_BUSY (another process holds the file for more
 * than STORE_BUSY_MS), DC_INVALID (a file that is not ours, or of a newer version), DC_KERNEL
 * (errnum ENOSPC: the disk is full; ENOMEM; EIO: the file is damaged).
 */
#ifndef DOCLE_STORE_STORE_H
#define DOCLE_STORE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/error.h"

enum {
    STORE_BUSY_MS = 10000, /* how long a writer waits for another process's transaction */
};

struct store_conn;

/* Borrowed bytes; data may be NULL when length is 0. */
struct store_bytes {
    const void *data;
    size_t length;
};

/*
 * Makes the file (mode 0600) or brings it to this program's schema, and returns a connection.
 * Before a migration of an existing file a copy is left beside it, `PATH.backup-vN-YYYYMMDDhhmmss`.
 * Refuses a file of a newer schema with DC_INVALID. Several processes may do this at once.
 */
DC_MUST int store_open(const char *path, struct store_conn **ret_conn, struct dc_err *err);

/* A further connection to a file that store_open() has prepared. */
enum store_mode { STORE_READ_WRITE, STORE_READ_ONLY };
DC_MUST int store_connect(const char *path, enum store_mode mode, struct store_conn **ret_conn,
                          struct dc_err *err);

void store_conn_free(struct store_conn *conn); /* accepts NULL */
DC_AUTO_DEFINE(struct store_conn *, store_conn_free)

/* The version of the schema that this program works with. */
int store_schema_version(void);

/*
 * One server per file: takes `PATH-server`'s lock, held until the descriptor is closed (by exit or
 * death too). DC_BUSY when another server has it. Take it before store_recover().
 */
DC_MUST int store_lock_server(const char *path, int *ret_fd, struct dc_err *err);

/*
 * At start of a server, under its lock: runs found queued or running become done with the outcome
 * sandbox_error, enter the ledger unbilled, and their idempotency claims are released so that a
 * retry runs.
 */
DC_MUST int store_recover(struct store_conn *conn, int64_t now, int *ret_runs, struct dc_err *err);

/*
 * Deletes at most max_runs finished runs created before the moment, with their inputs and outputs,
 * and idempotency claims older than a day. The ledger stays. Call again while *ret_runs equals
 * max_runs; small steps keep the writer free for others.
 */
DC_MUST int store_purge(struct store_conn *conn, int64_t before, int64_t now, int max_runs,
                        int *ret_runs, struct dc_err *err);

/* Runs run(conn, arg) in one transaction: all of its writes are kept, or none. */
DC_MUST int store_transaction(struct store_conn *conn,
                              int (*run)(struct store_conn *conn, void *arg, struct dc_err *err),
                              void *arg, struct dc_err *err);

/* Reads something: is the store usable? */
DC_MUST int store_ping(struct store_conn *conn, struct dc_err *err);

/*
 * Has any process changed what servers keep in memory (keys, projects)? store_watch_value() is one
 * pread of 8 bytes: compare it with the last value before each decision that relies on the copy in
 * memory, and load again when it differs (take the value first, then load). A process killed
 * between its commit and this mark leaves it unset; therefore also compare store_keys_version()
 * (keys.h) by a timer, once a second.
 */
struct store_watch {
    int fd;
};
DC_MUST int store_watch_open(const char *path, struct store_watch *ret_watch, struct dc_err *err);
uint64_t store_watch_value(const struct store_watch *watch); /* any thread */
void store_watch_release(struct store_watch *watch);

/* Called after each commit through this connection that changed keys or projects, on the thread
 * that committed. For a message to a server elsewhere, or to one's own loop. NULL: none. */
void store_on_change(struct store_conn *conn, void (*changed)(void *arg), void *arg);

#endif
