/* A change that a person makes by the API: run in one transaction on the store's thread, with its
 * entry in the audit log. API process, in the task of a call. */
#ifndef DOCLE_API_CHANGE_H
#define DOCLE_API_CHANGE_H

#include "api/call.h"
#include "store/store.h"

/* Runs run(conn, arg) as a write. True: done. False: has answered; a DC_NOT_FOUND as 404 with the
 * text not_found, a DC_CONFLICT or DC_DENIED as 409 or 403 with the error's own text. */
bool change_run(struct call *call,
                int (*run)(struct store_conn *conn, void *arg, struct dc_err *err), void *arg,
                const char *not_found);

/* The same for reading. */
bool change_read(struct call *call,
                 int (*run)(struct store_conn *conn, void *arg, struct dc_err *err), void *arg,
                 const char *not_found);

/* In run: what the caller did, to the project (NULL: none). */
DC_MUST int change_audit(const struct call *call, struct store_conn *conn, const char *project_id,
                         const char *action, const char *target, struct dc_err *err);

/* {"message": text}, 200. */
void change_reply(struct call *call, const char *text);

#endif
