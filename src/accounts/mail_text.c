#include "accounts/mail_text.h"

#include "base/poison.h"

void mail_print_escaped(const char *text, struct dc_buf *out)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            (void)dc_buf_text(out, "&amp;");
            break;
        case '<':
            (void)dc_buf_text(out, "&lt;");
            break;
        case '>':
            (void)dc_buf_text(out, "&gt;");
            break;
        case '"':
            (void)dc_buf_text(out, "&quot;");
            break;
        case '\'':
            (void)dc_buf_text(out, "&#39;");
            break;
        default:
            (void)dc_buf_byte(out, *text);
        }
    }
}

void mail_print_text(const struct mail_words *words, struct dc_buf *out)
{
    for (int i = 0; i < 4 && words->lines[i]; i++)
        (void)dc_buf_printf(out, "%s\n\n", words->lines[i]);
    (void)dc_buf_printf(out, "%s:\n%s\n\n%s\n", words->button, words->link, words->footer);
}

static void paragraph(const char *style, const char *text, struct dc_buf *out)
{
    (void)dc_buf_printf(out, "<p style=\"%s\">", style);
    mail_print_escaped(text, out);
    (void)dc_buf_text(out, "</p>\n");
}

/* Plain enough for every mail program: no images, no outside style, nothing that is fetched. */
void mail_print_html(const struct mail_words *words, struct dc_buf *out)
{
    (void)dc_buf_text(out, "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
                           "<title>");
    mail_print_escaped(words->title, out);
    (void)dc_buf_text(out, "</title></head>\n<body style=\"margin:0;padding:24px;"
                           "font-family:system-ui,sans-serif;color:#1a1a1a\">\n<h1 "
                           "style=\"font-size:20px\">");
    mail_print_escaped(words->title, out);
    (void)dc_buf_text(out, "</h1>\n");
    for (int i = 0; i < 4 && words->lines[i]; i++)
        paragraph("font-size:16px;line-height:1.5", words->lines[i], out);
    (void)dc_buf_text(out, "<p><a href=\"");
    mail_print_escaped(words->link, out);
    (void)dc_buf_text(out,
                      "\" style=\"display:inline-block;padding:12px 20px;border-radius:6px;"
                      "background:#1d4ed8;color:#ffffff;text-decoration:none;font-size:16px\">");
    mail_print_escaped(words->button, out);
    (void)dc_buf_text(out, "</a></p>\n");
    paragraph("font-size:13px;line-height:1.5;color:#555555", words->footer, out);
    (void)dc_buf_text(out, "</body>\n</html>\n");
}
