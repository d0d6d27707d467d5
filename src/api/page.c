#include "api/page.h"

#include <stdio.h>
#include <string.h>

#include "accounts/mail_text.h"
#include "api/app_internal.h"
#include "base/base64.h"
#include "store/hash.h"

#include "base/poison.h"

enum { PAGE_MAX_BYTES = 32 * 1024, POLICY_MAX_BYTES = 512 };

static const char style[] =
    "body{margin:0;font:16px/1.5 system-ui,sans-serif;color:#1a1a1a;background:#f4f4f5}"
    "main{max-width:26rem;margin:12vh auto;padding:2rem;background:#fff;border:1px solid #d4d4d8;"
    "border-radius:10px}"
    "h1{font-size:1.25rem;margin:0 0 1rem}label{display:block;margin:1rem 0 .25rem}"
    "input{font:inherit;width:100%;box-sizing:border-box;padding:.5rem;border:1px solid #71717a;"
    "border-radius:6px}"
    "button,a.button{font:inherit;display:block;width:100%;box-sizing:border-box;margin-top:1."
    "25rem;"
    "padding:.6rem;border:0;border-radius:6px;background:#1d4ed8;color:#fff;text-align:center;"
    "text-decoration:none;cursor:pointer}"
    "button:focus-visible,input:focus-visible,a:focus-visible{outline:3px solid #f59e0b}"
    "@media(prefers-color-scheme:dark){body{background:#18181b;color:#f4f4f5}"
    "main{background:#27272a;border-color:#52525b}"
    "input{background:#18181b;color:inherit}}";

bool page_is_wanted(const struct call *call)
{
    const char *accept = call_header(call, "Accept");

    return accept && strstr(accept, "text/html") && !call_header(call, "X-Nuxt-Api");
}

/* The style by its hash, and no other source of anything. */
static void print_policy(char out[static POLICY_MAX_BYTES])
{
    DC_AUTO(dc_buf_release) struct dc_buf digest = {0};
    uint8_t hash[STORE_HASH_BYTES];

    dc_buf_init(&digest, DC_BASE64_LENGTH(sizeof(hash)));
    store_sha256(style, sizeof(style) - 1, hash);
    (void)dc_base64_encode(&digest, hash, sizeof(hash));
    (void)snprintf(out, POLICY_MAX_BYTES,
                   "default-src 'none'; style-src 'sha256-%s'; form-action 'self'; "
                   "base-uri 'none'; frame-ancestors 'none'",
                   dc_buf_str(&digest));
}

static void print_form(const struct page *page, struct dc_buf *out)
{
    (void)dc_buf_text(out, "<form method=\"post\" action=\"/auth/verify\">"
                           "<input type=\"hidden\" name=\"token\" value=\"");
    mail_print_escaped(page->token, out);
    (void)dc_buf_text(out, "\">");
    if (page->asks_code)
        (void)dc_buf_text(out, "<label for=\"code\">Code</label><input id=\"code\" name=\"code\" "
                               "inputmode=\"numeric\" autocomplete=\"one-time-code\" "
                               "pattern=\"[0-9]{6}\" maxlength=\"6\" required autofocus>");
    (void)dc_buf_text(out, "<button type=\"submit\">");
    mail_print_escaped(page->button, out);
    (void)dc_buf_text(out, "</button></form>");
}

/* The meta element: without any referrer a browser hides the form's origin too, and the check of
 * where a request comes from would have less to go by. The token stays on this site. */
static void print_page(const struct page *page, struct dc_buf *out)
{
    (void)dc_buf_text(out, "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
                           "<meta name=\"viewport\" content=\"width=device-width\">"
                           "<meta name=\"referrer\" content=\"same-origin\">"
                           "<meta name=\"robots\" content=\"noindex\"><title>");
    mail_print_escaped(page->title, out);
    (void)dc_buf_printf(out, "</title><style>%s</style></head>\n<body><main><h1>", style);
    mail_print_escaped(page->title, out);
    (void)dc_buf_text(out, "</h1>\n");
    for (int i = 0; i < 3 && page->lines[i]; i++) {
        (void)dc_buf_text(out, "<p>");
        mail_print_escaped(page->lines[i], out);
        (void)dc_buf_text(out, "</p>\n");
    }
    if (page->token)
        print_form(page, out);
    else
        (void)dc_buf_text(out, "<a class=\"button\" href=\"/login\">Sign in</a>");
    (void)dc_buf_text(out, "\n</main></body>\n</html>\n");
}

void page_reply(struct call *call, const struct page *page)
{
    DC_AUTO(dc_buf_release) struct dc_buf body = {0};
    char policy[POLICY_MAX_BYTES];
    struct call_head head = {.status = page->status, .type = "text/html; charset=utf-8"};
    size_t count = 0;

    dc_buf_init(&body, PAGE_MAX_BYTES);
    print_policy(policy);
    print_page(page, &body);
    head.fields[count++] = (struct call_field){"Content-Security-Policy", policy};
    for (int i = 0; i < 3 && page->fields[i].name; i++)
        head.fields[count++] = page->fields[i];
    call_reply(call, &head, &body);
}
