#include "api/page.h"

#include <stdio.h>
#include <string.h>

#include "accounts/mail_text.h"
#include "api/app_internal.h"
#include "base/base64.h"
#include "store/hash.h"

#include "base/poison.h"

enum { PAGE_MAX_BYTES = 32 * 1024, POLICY_MAX_BYTES = 512 };

/* Contrast of all text is 4.5 : 1 or better, light and dark; tests/web measures it. */
static const char style[] =
    ":root{color-scheme:light dark;--ground:#f4f4f5;--sheet:#fff;--text:#18181b;--quiet:#52525b;"
    "--line:#d4d4d8;--field:#71717a;--act:#1d4ed8;--over:#1e40af;--wrong:#b91c1c}"
    "@media(prefers-color-scheme:dark){:root{--ground:#131316;--sheet:#1f1f23;--text:#f4f4f5;"
    "--quiet:#a1a1aa;--line:#3f3f46;--field:#8e8e98;--act:#2563eb;--over:#1d4ed8;--wrong:#fca5a5}}"
    "*{box-sizing:border-box}"
    "body{margin:0;min-height:100vh;min-height:100dvh;display:grid;place-items:center;padding:1rem;"
    "font:1rem/1.5 system-ui,sans-serif;color:var(--text);background:var(--ground)}"
    "main{width:100%;max-width:26rem;padding:2rem;background:var(--sheet);overflow-wrap:anywhere;"
    "border:1px solid var(--line);border-radius:.75rem;box-shadow:0 1px 3px rgba(0,0,0,.08)}"
    ".name{margin:0 0 1.5rem;font-weight:600;color:var(--quiet)}"
    "h1{font-size:1.375rem;line-height:1.25;margin:0 0 .75rem}p{margin:0 0 .75rem}"
    "h1::first-letter{text-transform:uppercase}"
    ".account{padding:.625rem .75rem;background:var(--ground);border:1px solid var(--line);"
    "border-radius:.5rem;font-weight:600}"
    ".wrong{color:var(--wrong);font-weight:600}"
    "label{display:block;margin:1.25rem 0 .25rem;font-weight:600}"
    "input{font:inherit;font-size:1.25rem;letter-spacing:.25em;width:100%;min-height:3rem;"
    "padding:.25rem .75rem;color:inherit;background:transparent;border:1px solid var(--field);"
    "border-radius:.5rem}"
    "button,a.button{font:inherit;font-weight:600;display:grid;place-items:center;width:100%;"
    "min-height:3rem;margin-top:1.5rem;padding:.25rem 1rem;border:0;border-radius:.5rem;"
    "background:var(--act);color:#fff;text-decoration:none;cursor:pointer}"
    "button:hover,a.button:hover{background:var(--over)}"
    "button:focus-visible,input:focus-visible,a:focus-visible{outline:3px solid #d97706;"
    "outline-offset:2px}"
    "@media(forced-colors:active){button,a.button{border:1px solid}}";

bool page_is_wanted(const struct call *call)
{
    const char *accept = call_header(call, "Accept");

    return accept && strstr(accept, "text/html") && !call_header(call, "X-Nuxt-Api");
}

bool page_is_place(const struct call *call)
{
    static const char *const data[] = {"/api/",   "/auth/",   "/healthz",
                                       "/readyz", "/metrics", "/openapi.json"};

    if (strcmp(call->path, "/auth/verify") == 0)
        return true;
    for (size_t i = 0; i < sizeof(data) / sizeof(data[0]); i++)
        if (strncmp(call->path, data[i], strlen(data[i])) == 0)
            return false;
    return true;
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
                   "default-src 'none'; img-src data:; style-src 'sha256-%s'; form-action 'self'; "
                   "base-uri 'none'; frame-ancestors 'none'",
                   dc_buf_str(&digest));
}

static void print_code_field(const struct page *page, struct dc_buf *out)
{
    (void)dc_buf_printf(out,
                        "<label for=\"code\">Code of six digits</label><input id=\"code\" "
                        "name=\"code\" inputmode=\"numeric\" autocomplete=\"one-time-code\" "
                        "pattern=\"[0-9]{6}\" title=\"six digits\" maxlength=\"6\" required "
                        "aria-describedby=\"%s\"%s autofocus>",
                        page->problem ? "problem about" : "about",
                        page->problem ? " aria-invalid=\"true\"" : "");
}

static void print_form(const struct page *page, struct dc_buf *out)
{
    (void)dc_buf_text(out, "<form method=\"post\" action=\"/auth/verify\">"
                           "<input type=\"hidden\" name=\"token\" value=\"");
    mail_print_escaped(page->token, out);
    (void)dc_buf_text(out, "\">");
    if (page->asks_code)
        print_code_field(page, out);
    (void)dc_buf_text(out, "<button type=\"submit\">");
    mail_print_escaped(page->button, out);
    (void)dc_buf_text(out, "</button></form>");
}

static void print_element(const char *opening, const char *text, const char *closing,
                          struct dc_buf *out)
{
    if (!text)
        return;
    (void)dc_buf_text(out, opening);
    mail_print_escaped(text, out);
    (void)dc_buf_text(out, closing);
}

/* The meta element: without any referrer a browser hides the form's origin too, and the check of
 * where a request comes from would have less to go by. The token stays on this site. The icon is
 * empty, so that no browser asks for one. */
static void print_page(const struct page *page, const char *app_name, struct dc_buf *out)
{
    (void)dc_buf_text(out, "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
                           "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                           "<meta name=\"referrer\" content=\"same-origin\">"
                           "<meta name=\"robots\" content=\"noindex\">"
                           "<link rel=\"icon\" href=\"data:,\">");
    print_element("<title>", page->title, "", out);
    if (!strstr(page->title, app_name))
        print_element(" · ", app_name, "", out);
    (void)dc_buf_printf(out, "</title><style>%s</style></head>\n<body><main>\n", style);
    print_element("<p class=\"name\">", app_name, "</p>\n", out);
    print_element("<h1>", page->title, "</h1>\n", out);
    print_element("<p class=\"account\">", page->account, "</p>\n", out);
    print_element("<p class=\"wrong\" id=\"problem\" role=\"alert\">", page->problem, "</p>\n",
                  out);
    print_element("<p id=\"about\">", page->text, "</p>\n", out);
    if (page->token)
        print_form(page, out);
    else if (page->link)
        print_element("<a class=\"button\" href=\"/login\">", page->link, "</a>", out);
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
    print_page(page, call->app->options.accounts.app_name, &body);
    head.fields[count++] = (struct call_field){"Content-Security-Policy", policy};
    for (int i = 0; i < 3 && page->fields[i].name; i++)
        head.fields[count++] = page->fields[i];
    call_reply(call, &head, &body);
}
