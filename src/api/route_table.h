/*
 * Which path and method leads where, and who may go there. The one list that dispatching, the
 * header Allow, the labels of /metrics and the tests of access are made from. API process.
 */
#ifndef DOCLE_API_ROUTE_TABLE_H
#define DOCLE_API_ROUTE_TABLE_H

#include <stddef.h>

#include "accounts/roles.h"
#include "api/call.h"

enum route_access {
    ROUTE_OPEN,    /* anybody */
    ROUTE_CALLER,  /* an API key; or a session, for its current project */
    ROUTE_SESSION, /* a session; permission does not matter */
    ROUTE_CURRENT, /* a session, with the permission in its current project */
    ROUTE_PROJECT, /* a session, with the permission in the project {id} of the path */
};

struct route {
    const char *path;   /* "{id}" and "{sub}" stand for UUIDs: call->id and call->sub_id. Routes of
                           one path stand together. */
    const char *method; /* "GET" answers HEAD too, unless it acts */
    enum route_access access;
    enum permission permission; /* of sessions; keys may what ROUTE_CALLER leads to */
    void (*handle)(struct call *call);
    bool acts; /* a GET that changes something: never by HEAD, nor from another site */
};

extern const struct route route_table[];
extern const size_t route_count;

#endif
