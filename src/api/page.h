/*
 * The few pages that the server prints itself: small HTML without script, for browsers that follow
 * a mailed link. Nothing from outside is fetched, nobody may frame them. API process.
 */
#ifndef DOCLE_API_PAGE_H
#define DOCLE_API_PAGE_H

#include <stdbool.h>

#include "api/call.h"

struct page {
    int status;
    const char *title;
    const char *lines[3]; /* paragraphs, escaped here; ended by NULL */
    /* A form to /auth/verify; NULL: none. */
    const char *token;
    bool asks_code;
    const char *button;
    struct call_field fields[3]; /* further header fields */
};

void page_reply(struct call *call, const struct page *page);

/* Does the client want a page rather than JSON? */
bool page_is_wanted(const struct call *call);

#endif
