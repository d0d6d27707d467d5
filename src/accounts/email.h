/* E-mail addresses, as far as they may sign in here. Pure; server and CLI. */
#ifndef DOCLE_ACCOUNTS_EMAIL_H
#define DOCLE_ACCOUNTS_EMAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "store/users.h"

/*
 * Reads an address and writes the one form that it is kept in: lower case. Taken: dot-atom@domain
 * in ASCII (RFC 5321; quoted local parts, comments, address literals are not), at most 64 and 254
 * bytes, a domain with a dot, or localhost. So what is taken can stand in a header, in SMTP and in
 * a page without quoting. Blanks around it are dropped.
 */
bool email_read(const char *text, size_t length, char ret_email[static STORE_EMAIL_SIZE]);

/* Is the domain of email in list ("example.com, *.example.org")? "*." takes any below it. */
bool email_in_domains(const char *email, const char *list);

/* Does list ("ada@example.com, bob@example.com") name it? */
bool email_in_list(const char *email, const char *list);

#endif
