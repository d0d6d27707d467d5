/*
 * Sessions of people: who a cookie or token stands for, what a request may therefore do, and the
 * cookies themselves. API process, in the task of a call.
 */
#ifndef DOCLE_API_SESSION_H
#define DOCLE_API_SESSION_H

#include <stdbool.h>

#include "accounts/accounts.h"
#include "api/call.h"
#include "api/route_table.h"

enum { SESSION_COOKIE_MAX = 256 };

/* Of the session; and of a browser that asked for a link, until it is used. */
#define SESSION_COOKIE "docle_session"
#define SIGNIN_COOKIE "docle_signin"

/* A session token among the credentials: in the Authorization header, or else the cookie. Hash of
 * it. *ret_by_cookie: the browser sent it by itself. */
bool session_token(const struct call *call, uint8_t ret_hash[static STORE_HASH_BYTES],
                   bool *ret_by_cookie);

/* Finds the session, and what its person may in the project that the route is about. False: has
 * answered 401, 403, 404 or an error. */
bool session_admit(struct call *call, const struct route *route);

/* Neither header of the browser says that another site made this request. */
bool session_is_own_site(const struct call *call);

/* Is the client's connection, as far as it goes, HTTPS? Then cookies are for HTTPS alone. */
bool session_is_secure(const struct call *call);

/* A Set-Cookie value. value NULL: deletes the cookie. */
void session_print_cookie(const struct call *call, const char *name, const char *value,
                          uint32_t seconds, char out[static SESSION_COOKIE_MAX]);

/* From where the call comes, as limits count it: IPv6 by its /64. */
void session_client_network(const struct call *call, char out[static STORE_ADDRESS_SIZE]);

/* What the client calls itself, printable and cut. */
void session_agent(const struct call *call, char out[static STORE_AGENT_SIZE]);

#endif
