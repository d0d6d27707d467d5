/* Bodies as Stripe takes them: application/x-www-form-urlencoded, "a[b][0]=c". API process, CLI. */
#ifndef DOCLE_BILLING_FORM_H
#define DOCLE_BILLING_FORM_H

#include "base/buf.h"

/* Appends one pair; name and value are encoded, but for the brackets of a name. A failure shows in
 * form->failed. */
void form_add(struct dc_buf *form, const char *name, const char *value);
void form_add_number(struct dc_buf *form, const char *name, int64_t value);

#endif
