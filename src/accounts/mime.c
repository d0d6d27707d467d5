#include "accounts/mime.h"

#include <string.h>
#include <time.h>

#include "accounts/email.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/utf8.h"

#include "base/poison.h"

enum {
    LINE_BYTES = 57, /* 76 characters of base64 */
    WORD_BYTES = 42, /* 56 characters; an encoded word has at most 75 (RFC 2047) */
};

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (*text < 0x20 || *text > 0x7e)
            return false;
    return true;
}

/* Encoded words wherever the text is not plain ASCII. What controls there are is never seen as
 * such. */
static void print_words(const char *text, struct dc_buf *out)
{
    size_t length = strlen(text);

    if (is_plain(text) && !strstr(text, "=?")) {
        (void)dc_buf_text(out, text);
        return;
    }
    while (length) {
        size_t take = length < WORD_BYTES ? length : dc_utf8_cut(text, WORD_BYTES);

        (void)dc_buf_text(out, "=?utf-8?B?");
        (void)dc_base64_encode(out, text, take);
        (void)dc_buf_text(out, "?=");
        text += take;
        length -= take;
        (void)dc_buf_text(out, length ? "\r\n " : "");
    }
}

static void print_sender(const struct mime_sender *sender, struct dc_buf *out)
{
    if (!*sender->name) {
        (void)dc_buf_text(out, sender->address);
        return;
    }
    if (is_plain(sender->name) && !strpbrk(sender->name, "\"\\"))
        (void)dc_buf_printf(out, "\"%s\"", sender->name);
    else
        print_words(sender->name, out);
    (void)dc_buf_printf(out, " <%s>", sender->address);
}

static void print_body(const char *text, struct dc_buf *out)
{
    for (size_t length = strlen(text); length;) {
        size_t take = length < LINE_BYTES ? length : LINE_BYTES;

        (void)dc_base64_encode(out, text, take);
        (void)dc_buf_text(out, "\r\n");
        text += take;
        length -= take;
    }
}

static void print_part(const char *type, const char *text, const char *boundary, struct dc_buf *out)
{
    (void)dc_buf_printf(out,
                        "--%s\r\nContent-Type: %s; charset=utf-8\r\n"
                        "Content-Transfer-Encoding: base64\r\n\r\n",
                        boundary, type);
    print_body(text, out);
}

void mime_print(const struct mime_mail *mail, struct dc_buf *out)
{
    uint8_t random[12];
    char boundary[sizeof(random) * 2 + 1];
    char date[64];
    time_t seconds = (time_t)(mail->date_ns / DC_NS_PER_S);
    struct tm tm;

    dc_random_bytes(random, sizeof(random));
    dc_hex(random, sizeof(random), boundary);
    (void)gmtime_r(&seconds, &tm);
    (void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &tm);
    (void)dc_buf_text(out, "From: ");
    print_sender(mail->from, out);
    (void)dc_buf_printf(out, "\r\nTo: %s\r\nSubject: ", mail->to);
    print_words(mail->subject, out);
    (void)dc_buf_printf(out,
                        "\r\nDate: %s\r\nMessage-ID: <%s.%s@%s>\r\nMIME-Version: 1.0\r\n"
                        "Auto-Submitted: auto-generated\r\n"
                        "Content-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n",
                        date, mail->id, boundary, strchr(mail->from->address, '@') + 1, boundary);
    print_part("text/plain", mail->text, boundary, out);
    print_part("text/html", mail->html, boundary, out);
    (void)dc_buf_printf(out, "--%s--\r\n", boundary);
}

bool mime_read_sender(const char *text, struct mime_sender *ret_sender)
{
    const char *open = strrchr(text, '<');
    size_t length = open ? (size_t)(open - text) : 0;

    *ret_sender = (struct mime_sender){0};
    if (!open)
        return email_read(text, strlen(text), ret_sender->address);
    if (text[strlen(text) - 1] != '>' ||
        !email_read(open + 1, strlen(open + 1) - 1, ret_sender->address))
        return false;
    while (length && (text[length - 1] == ' ' || text[length - 1] == '"'))
        length--;
    while (length && (*text == ' ' || *text == '"')) {
        text++;
        length--;
    }
    if (length >= sizeof(ret_sender->name) || !dc_utf8_valid(text, length))
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    memcpy(ret_sender->name, text, length);
    return true;
}
