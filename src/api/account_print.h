/* People, projects, keys and sessions as JSON. The original's members have the original's names.
 * API process. */
#ifndef DOCLE_API_ACCOUNT_PRINT_H
#define DOCLE_API_ACCOUNT_PRINT_H

#include "base/buf.h"
#include "store/keys.h"
#include "store/members.h"
#include "store/users.h"

void print_member_text(struct dc_buf *out, const char *name, const char *text); /* "name":"text", */
void print_member_time(struct dc_buf *out, const char *name, int64_t wall_ns);  /* 0: null */

void print_user(const struct store_user *user, struct dc_buf *out);
/* A project as its member sees it. */
void print_membership(const struct store_member *member, struct dc_buf *out);

#endif
