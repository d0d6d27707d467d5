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
    /* Paragraphs, escaped here; NULL: none. */
    const char *account; /* whom it is about */
    const char *problem; /* what went wrong, read out at once */
    const char *text;
    /* A form to /auth/verify; NULL: none. */
    const char *token;
    bool asks_code;
    const char *button;
    const char *link; /* without a form: what the way back to signing in is called; NULL: none */
    struct call_field fields[3]; /* further header fields */
};

void page_reply(struct call *call, const struct page *page);

/* Does the client want a page rather than JSON? Browsers do that open an address. */
bool page_is_wanted(const struct call *call);
/* Is the address one that people open, and not one of the data routes? */
bool page_is_place(const struct call *call);

#endif
