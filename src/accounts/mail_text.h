/* The words of mails, as text and as HTML. Pure; API process. */
#ifndef DOCLE_ACCOUNTS_MAIL_TEXT_H
#define DOCLE_ACCOUNTS_MAIL_TEXT_H

#include "base/buf.h"

/* What a mail says. Everything may hold what people typed. */
struct mail_words {
    const char *title;    /* also the subject */
    const char *lines[4]; /* paragraphs before the link; ended by NULL */
    const char *button;
    const char *link;
    const char *footer;
};

void mail_print_text(const struct mail_words *words, struct dc_buf *out);
void mail_print_html(const struct mail_words *words, struct dc_buf *out);

/* Appends text for HTML, in an element or a quoted attribute. */
void mail_print_escaped(const char *text, struct dc_buf *out);

#endif
