/* What a stranger sends before he is anybody: addresses, cookies, tokens; and the sender of mails.
 * What is taken can stand in a header, and is read again as itself. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "accounts/cookie.h"
#include "accounts/email.h"
#include "accounts/mail_text.h"
#include "accounts/mime.h"
#include "accounts/token.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_email(const char *text, size_t length)
{
    char email[STORE_EMAIL_SIZE];
    char again[STORE_EMAIL_SIZE];

    if (!email_read(text, length, email))
        return;
    assert(strlen(email) < STORE_EMAIL_SIZE && strchr(email, '@') == strrchr(email, '@'));
    for (const char *at = email; *at; at++)
        assert(*at > 0x20 && *at < 0x7f && !strchr("<>,;:\"\\()[]", *at));
    assert(email_read(email, strlen(email), again) && strcmp(email, again) == 0);
    assert(email_in_list(email, email) && email_in_domains(email, strchr(email, '@') + 1));
}

static void check_cookie(const char *text)
{
    char value[TOKEN_SIZE] = "";
    uint8_t hash[STORE_HASH_BYTES];

    if (cookie_find(text, "docle_session", value, sizeof(value))) {
        assert(strlen(value) < sizeof(value) && !strchr(value, ';') && strstr(text, value));
        if (token_read(TOKEN_SESSION, value, hash))
            assert(strspn(value + 3, "0123456789abcdef") == TOKEN_SIZE - 4);
    }
}

/* No text becomes a line of the header, nor markup of the page. */
static void check_mail(const char *text)
{
    struct mime_sender sender;
    struct dc_buf out;
    struct dc_buf html;

    if (!mime_read_sender(text, &sender))
        return;
    dc_buf_init(&out, 1 << 20);
    dc_buf_init(&html, 1 << 20);
    mime_print(&(struct mime_mail){.from = &sender,
                                   .to = "a@b.example",
                                   .subject = sender.name,
                                   .text = text,
                                   .html = text,
                                   .id = "1"},
               &out);
    assert(!out.failed);
    for (const char *at = out.data; (at = strchr(at, '\n')); at++)
        assert(at > out.data && at[-1] == '\r');
    mail_print_escaped(text, &html);
    assert(!strpbrk(dc_buf_str(&html), "<>\"'"));
    dc_buf_release(&out);
    dc_buf_release(&html);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 1);

    assert(text);
    memcpy(text, data, size);
    check_email(text, size);
    check_cookie(text);
    check_mail(text);
    free(text);
    return 0;
}
