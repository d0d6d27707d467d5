/* What reaches billing from outside: the first byte chooses a signature header, a form, or JSON
 * such as Stripe answers. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "billing/form.h"
#include "billing/meters.h"
#include "billing/signature.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Nobody guesses a signature. */
static void try_signature(const char *header)
{
    static const char *const secrets[SIGNATURE_SECRETS] = {"whsec_a"};

    assert(!signature_valid(header, "{}", 2, secrets, 1795500000));
}

static void try_form(const char *text)
{
    struct dc_buf form;

    dc_buf_init(&form, 1 << 20);
    form_add(&form, text, text);
    assert(form.failed ||
           strspn(dc_buf_str(&form), "abcdefghijklmnopqrstuvwxyz"
                                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.[]%=") == form.length);
    dc_buf_release(&form);
}

static void try_answer(const char *text, size_t length)
{
    static const char *const paths[] = {
        "id",
        "items.data.0.current_period_end",
        "error.message",
        "metadata.project_id",
        "url",
        "data.0.recurring.meter",
        "data.object.id",
        "",
        "data",
        "parent.subscription_details.subscription",
        "data.reason.error_types.0.sample_errors.0.request.identifier",
        "next_page_url"};
    json_t *body = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const char *found = stripe_text(body, paths[i]);

        (void)stripe_number(body, paths[i]);
        assert(stripe_moment(body, paths[i]) >= 0);
        if (stripe_id_valid(found))
            assert(strlen(found) < STORE_CUSTOMER_SIZE && !strpbrk(found, "/?#&%. "));
    }
    json_decref(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (!size)
        return 0;
    text = malloc(size);
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] % 3 == 0)
        try_signature(text);
    else if (data[0] % 3 == 1)
        try_form(text);
    else
        try_answer(text, size - 1);
    free(text);
    return 0;
}
