#include "billing/form.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/poison.h"

static void add_encoded(struct dc_buf *form, const char *text, const char *plain)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool keep = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    strchr(plain, c);

        if (keep)
            (void)dc_buf_byte(form, (char)c);
        else
            (void)dc_buf_printf(form, "%%%02X", c);
    }
}

void form_add(struct dc_buf *form, const char *name, const char *value)
{
    if (form->length)
        (void)dc_buf_byte(form, '&');
    add_encoded(form, name, "-_.[]");
    (void)dc_buf_byte(form, '=');
    add_encoded(form, value, "-_.");
}

void form_add_number(struct dc_buf *form, const char *name, int64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRId64, value);
    form_add(form, name, text);
}
