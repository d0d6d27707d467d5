/*
 * A mail as it goes over the wire: RFC 5322 with one multipart/alternative of text and HTML (RFC
 * 2046), both in base64, so that no line is too long and no byte of a text is ever a line of SMTP
 * or of the header. Pure but for the boundary; API process.
 */
#ifndef DOCLE_ACCOUNTS_MIME_H
#define DOCLE_ACCOUNTS_MIME_H

#include <stdint.h>

#include "base/buf.h"
#include "store/users.h"

/* A sender: "Docle <no-reply@example.com>" or the address alone. */
struct mime_sender {
    char name[128]; /* UTF-8 without control characters; "" */
    char address[STORE_EMAIL_SIZE];
};

/* False: not of that form. */
bool mime_read_sender(const char *text, struct mime_sender *ret_sender);

struct mime_mail {
    const struct mime_sender *from;
    const char *to; /* from email_read */
    const char *subject;
    const char *text;
    const char *html;
    const char *id;  /* unique; for Message-ID */
    int64_t date_ns; /* wall clock */
};

/* Appends the message; lines end with CR LF. */
void mime_print(const struct mime_mail *mail, struct dc_buf *out);

#endif
