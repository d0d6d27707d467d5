/*
 * The engine behind the store: connections, statements, transactions. Only this module's own files
 * use it. A second engine gets its own implementation of these functions.
 *
 * SQL is written with $1, $2, … in the order of first use, one static string per statement: the
 * connection keeps statements prepared, found again by the address of their text.
 */
#ifndef DOCLE_STORE_DB_H
#define DOCLE_STORE_DB_H

#include <stdbool.h>

#include "store/store.h"

struct db;
struct db_query;

enum db_make { DB_EXISTING, DB_CREATE };

/* Opens path; DB_CREATE makes it with mode 0600 where it is not there. */
DC_MUST int db_open(const char *path, enum store_mode mode, enum db_make make, struct db **ret_db,
                    struct dc_err *err);
void db_free(struct db *db); /* accepts NULL */
DC_AUTO_DEFINE(struct db *, db_free)

/* The prepared statement for sql, ready for binding. Give it back by db_end (DC_AUTO(db_end)). */
DC_MUST int db_begin_query(struct db *db, const char *sql, struct db_query **ret_query,
                           struct dc_err *err);
void db_end(struct db_query *query); /* accepts NULL */
DC_AUTO_DEFINE(struct db_query *, db_end)

/* Binding copies nothing: values must live until db_end. Failures show in the next db_step. */
void db_bind_text(struct db_query *query, int index, const char *text); /* NULL binds NULL */
void db_bind_int(struct db_query *query, int index, int64_t value);
void db_bind_bytes(struct db_query *query, int index, struct store_bytes bytes); /* empty: NULL */
void db_bind_chars(struct db_query *query, int index, struct store_bytes text);  /* empty: NULL */
void db_bind_null(struct db_query *query, int index);

/* The next row, if any. */
DC_MUST int db_step(struct db_query *query, bool *ret_row, struct dc_err *err);

/* For statements without rows; *ret_changes may be NULL. */
DC_MUST int db_run(struct db_query *query, int64_t *ret_changes, struct dc_err *err);

int64_t db_int(struct db_query *query, int column); /* NULL reads 0 */
/* Copies with cut-off by size: for fields whose maximum the writer checked. NULL reads "". A
 * failure shows in db_row_read. */
void db_text(struct db_query *query, int column, char *out, size_t size);
/* A copy on the heap with a NUL behind it; NULL for NULL. */
DC_MUST int db_copy(struct db_query *query, int column, char **ret_data, size_t *ret_length,
                    struct dc_err *err);
/* Exactly size bytes, or an error. */
DC_MUST int db_fixed(struct db_query *query, int column, void *out, size_t size,
                     struct dc_err *err);

/* After the reads of a row: did all db_text succeed? */
DC_MUST int db_row_read(struct db_query *query, struct dc_err *err);

/* Several statements without results: migrations, settings. */
DC_MUST int db_script(struct db *db, const char *sql, struct dc_err *err);

/*
 * Transactions. db_begin takes the write lock at once. They nest by joining: only the outermost
 * db_commit commits. db_rollback inside an outer transaction only marks it, so that it cannot be
 * committed; the caller of the outermost rolls back.
 */
DC_MUST int db_begin(struct db *db, struct dc_err *err);
DC_MUST int db_commit(struct db *db, struct dc_err *err);
void db_rollback(struct db *db);

/* Inside a transaction; one level, for the worker. db_undo also clears the mark of db_rollback. */
DC_MUST int db_savepoint(struct db *db, struct dc_err *err);
DC_MUST int db_release(struct db *db, struct dc_err *err);
DC_MUST int db_undo(struct db *db, struct dc_err *err);

/* False when the engine has undone the whole transaction by itself (disk full, no memory). */
bool db_in_transaction(const struct db *db);

/* A consistent copy in a new file (mode 0600), durable when it returns. */
DC_MUST int db_backup(struct db *db, const char *path, struct dc_err *err);

/* Reads the whole file. said: "ok", or the first thing that is wrong with it. */
DC_MUST int db_check(struct db *db, char *said, size_t size, struct dc_err *err);

/* Folds the log in and makes the file whole without one. DC_BUSY while anybody else has it open. */
DC_MUST int db_leave_log(struct db *db, struct dc_err *err);

/* Folds the log into the main file as far as readers allow. *ret_left: pages that remain. */
DC_MUST int db_checkpoint(struct db *db, int *ret_left, struct dc_err *err);
/* Pages in the log after the last commit of this connection. */
int db_log_pages(const struct db *db);

/* Ends the transaction of a function: commits when *result is 0, else rolls back; returns the
 * final result. */
DC_MUST int db_finish(struct db *db, int result, struct dc_err *err);

#endif
