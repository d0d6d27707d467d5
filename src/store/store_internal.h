/* What the files of the store share. */
#ifndef DOCLE_STORE_INTERNAL_H
#define DOCLE_STORE_INTERNAL_H

#include "store/db.h"

struct store_conn {
    struct db *db;
    bool changed; /* the open transaction touched keys or projects */
    struct store_watch watch;
    void (*on_change)(void *arg);
    void *on_change_arg;
};

/* A transaction of the function, or a part of the worker's. conn_end commits when result is 0,
 * tells of changed keys after the outermost commit, and returns the final result. */
DC_MUST int conn_begin(struct store_conn *conn, struct dc_err *err);
DC_MUST int conn_end(struct store_conn *conn, int result, struct dc_err *err);

/* Inside a transaction: servers must load keys again after it. */
DC_MUST int conn_keys_changed(struct store_conn *conn, struct dc_err *err);

/* Runs a statement with one parameter, a text. */
DC_MUST int conn_run_text(struct store_conn *conn, const char *sql, const char *one,
                          int64_t *ret_changes, struct dc_err *err);

/* DC_INVALID: not the name of a project or a key. */
DC_MUST int conn_check_name(const char *name, bool may_be_empty, struct dc_err *err);

/* A limit or a moment that may be none: 0 binds NULL. */
void conn_bind_limit(struct db_query *query, int index, int64_t value);

#endif
