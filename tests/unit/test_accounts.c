/* What a stranger sends before he is anybody: addresses, tokens, cookies; who may do what; and that
 * nothing of it becomes a line of a mail's header or markup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "accounts/cookie.h"
#include "accounts/email.h"
#include "accounts/mail_text.h"
#include "accounts/mime.h"
#include "accounts/roles.h"
#include "accounts/token.h"
#include "base/clock.h"

#include "base/poison.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEN "abcdefghij"
#define FACE "\xf0\x9f\x98\x80"
#define SIXTY TEN TEN TEN TEN TEN TEN

/* ---- addresses ---- */

static void test_email_taken(void **state)
{
    static const struct {
        const char *text, *kept;
    } cases[] = {
        {"ada@example.com", "ada@example.com"},
        {" \tAda.Lovelace@Example.COM\t ", "ada.lovelace@example.com"},
        {"a@localhost", "a@localhost"},
        {"a+tag@b-c.de", "a+tag@b-c.de"},
        {"!#$%&'*+/=?^_`{|}~-@x.y", "!#$%&'*+/=?^_`{|}~-@x.y"},
        {"a@1.2.3.x4", "a@1.2.3.x4"},
        {SIXTY "abcd@x.y", SIXTY "abcd@x.y"},       /* 64 in front */
        {"a@" SIXTY "abc.xy", "a@" SIXTY "abc.xy"}, /* 63 in a label */
        {"a@xn--mnchen-3ya.de", "a@xn--mnchen-3ya.de"},
    };
    char email[STORE_EMAIL_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (!email_read(cases[i].text, strlen(cases[i].text), email))
            fail_msg("'%s' was refused", cases[i].text);
        assert_string_equal(email, cases[i].kept);
    }
}

static void test_email_refused(void **state)
{
    static const struct {
        const char *text;
        size_t length; /* 0: all of it */
    } cases[] = {
        {"", 0},
        {" ", 0},
        {"@", 0},
        {"a@", 0},
        {"@b.c", 0},
        {"a@b", 0}, /* no dot */
        {"a@b.c.", 0},
        {"a@.b.c", 0},
        {"a@b..c", 0},
        {"a@-b.c", 0},
        {"a@b-.c", 0},
        {"a@127.0.0.1", 0},
        {"a@[127.0.0.1]", 0},
        {"a@b.123", 0},
        {".a@b.c", 0},
        {"a.@b.c", 0},
        {"a..b@c.d", 0},
        {"a@b@c.d", 0},
        {"\"a b\"@c.d", 0},
        {"a b@c.d", 0},
        {"a(b)@c.d", 0},
        {"<a@c.d>", 0},
        {"a@c.d,b@c.d", 0},
        {"a@c.d\r\nBcc: b@c.d", 0},
        {"a\n@c.d", 0},
        {"a@c.d\n", 0},
        {"a\x7f@c.d", 0},
        {"\xc3\xa4@c.d", 0},
        {"a@\xc3\xa4.d", 0},
        {"a\0b@c.d", 7},
        {"a@b.c\0d", 7},
        {"a@b.c\0", 6},
        {SIXTY "abcde@x.y", 0},                                       /* 65 in front */
        {"a@" SIXTY "abcd.xy", 0},                                    /* 64 in a label */
        {"a@" SIXTY "." SIXTY "." SIXTY "." SIXTY "." TEN ".xyz", 0}, /* 261 */
    };
    char email[STORE_EMAIL_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t length = cases[i].length ? cases[i].length : strlen(cases[i].text);

        if (email_read(cases[i].text, length, email))
            fail_msg("'%s' was taken as '%s'", cases[i].text, email);
    }
}

/* The longest that is taken, and one more. */
static void test_email_length(void **state)
{
    char text[STORE_EMAIL_SIZE + 2];
    char email[STORE_EMAIL_SIZE];

    (void)state;
    memset(text, 'a', sizeof(text));
    text[64] = '@';
    for (size_t at = 64 + 1 + 60; at < STORE_EMAIL_SIZE - 3; at += 61)
        text[at] = '.';
    assert_true(email_read(text, STORE_EMAIL_SIZE - 1, email));
    assert_int_equal(strlen(email), STORE_EMAIL_SIZE - 1);
    assert_false(email_read(text, STORE_EMAIL_SIZE, email));
}

static void test_email_lists(void **state)
{
    static const struct {
        const char *email, *list;
        bool domain, named;
    } cases[] = {
        {"a@example.com", "", false, false},
        {"a@example.com", "example.com", true, false},
        {"a@example.com", "Example.COM", true, false},
        {"a@example.com", " ,, b.c ,\texample.com ", true, false},
        {"a@example.com", "xample.com", false, false},
        {"a@example.com", "example.com.evil", false, false},
        {"a@sub.example.com", "example.com", false, false},
        {"a@sub.example.com", "*.example.com", true, false},
        {"a@x.sub.example.com", "*.Example.com", true, false},
        {"a@example.com", "*.example.com", false, false}, /* below it, not itself */
        {"a@badexample.com", "*.example.com", false, false},
        {"a@example.com", "*.", false, false},
        {"a@example.com", "*", false, false},
        {"a@example.com", "b@example.com, A@Example.com", false, true},
        {"a@example.com", "ba@example.com", false, false},
        {"a@example.com", "a@example.comm", false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (email_in_domains(cases[i].email, cases[i].list) != cases[i].domain ||
            email_in_list(cases[i].email, cases[i].list) != cases[i].named)
            fail_msg("%s in '%s'", cases[i].email, cases[i].list);
    }
}

/* ---- tokens ---- */

static void test_tokens(void **state)
{
    static const enum token_kind kinds[] = {TOKEN_SESSION, TOKEN_LINK, TOKEN_BROWSER};
    static const char *const heads[] = {"ds_", "dl_", "db_"};
    char one[TOKEN_SIZE];
    char two[TOKEN_SIZE];
    uint8_t hash[STORE_HASH_BYTES];
    uint8_t again[STORE_HASH_BYTES];

    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        token_make(kinds[i], one, hash);
        token_make(kinds[i], two, again);
        assert_int_equal(strlen(one), TOKEN_SIZE - 1);
        assert_memory_equal(one, heads[i], 3);
        assert_string_not_equal(one, two);
        for (size_t k = 0; k < COUNT(kinds); k++) /* one kind is no other */
            assert_int_equal(token_read(kinds[k], one, again), k == i);
        assert_true(token_read(kinds[i], one, again));
        assert_memory_equal(hash, again, sizeof(hash));
    }
}

static void test_tokens_refused(void **state)
{
    char token[TOKEN_SIZE + 8];
    uint8_t hash[STORE_HASH_BYTES];
    static const char odd[] = "gG -_;=\n\r\t\x7f\x80%";

    (void)state;
    token_make(TOKEN_SESSION, token, hash);
    for (const char *at = odd; *at; at++) {
        char kept = token[30];

        token[30] = *at;
        assert_false(token_read(TOKEN_SESSION, token, hash));
        token[30] = kept;
    }
    token[TOKEN_SIZE - 1] = '0';
    token[TOKEN_SIZE] = '\0';
    assert_false(token_read(TOKEN_SESSION, token, hash)); /* one too long */
    token[TOKEN_SIZE - 2] = '\0';
    assert_false(token_read(TOKEN_SESSION, token, hash)); /* one too short */
    assert_false(token_read(TOKEN_SESSION, "", hash));
    assert_false(token_read(TOKEN_SESSION, "ds_", hash));
}

static void test_codes(void **state)
{
    uint8_t one[STORE_HASH_BYTES];
    uint8_t two[STORE_HASH_BYTES];
    char code[CODE_SIZE];
    bool leading_zero = false;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        code_make(code);
        assert_int_equal(strlen(code), 6);
        assert_int_equal(strspn(code, "0123456789"), 6);
        leading_zero |= *code == '0';
    }
    assert_true(leading_zero); /* 1 in 10^91 that it is not */
    code_hash("123456", "a@b.c", one);
    code_hash("123456", "a@b.d", two);
    assert_memory_not_equal(one, two, sizeof(one));
    code_hash("123457", "a@b.c", two);
    assert_memory_not_equal(one, two, sizeof(one));
    code_hash("123456", "a@b.c", two);
    assert_memory_equal(one, two, sizeof(one));
}

/* ---- cookies ---- */

static void test_cookies(void **state)
{
    static const struct {
        const char *header, *value; /* NULL: none */
    } cases[] = {
        {NULL, NULL},
        {"", NULL},
        {"s=abc", "abc"},
        {"s=", ""},
        {"a=1; s=abc; b=2", "abc"},
        {"a=1;s=abc;b=2", "abc"},
        {" \t s=abc \t", "abc"},
        {"s=\"abc\"", "abc"},
        {"s=\"", "\""},
        {"s=\"\"", ""},
        {"s=a=b", "a=b"},
        {"xs=abc", NULL},
        {"sx=abc", NULL},
        {"S=abc", NULL},
        {"s", NULL},
        {"s ; s=abc", "abc"},
        {"=abc", NULL},
        {";;;s=abc;;;", "abc"},
        {"s=abc; s=abc", "abc"}, /* twice the same */
        {"s=abc; s=abd", NULL},  /* somebody else has set one */
        {"s=abc; s=", NULL},
        {"s=; s=abc", NULL},
        {"s=1234567", "1234567"},
        {"s=12345678", NULL}, /* does not fit */
        {"s=abc; s=12345678", NULL},
        {"s =abc", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char value[8] = "?";
        bool found = cookie_find(cases[i].header, "s", value, sizeof(value));

        if (found != (cases[i].value != NULL))
            fail_msg("'%s': found %d", cases[i].header, found);
        if (found)
            assert_string_equal(value, cases[i].value);
    }
}

/* ---- mails ---- */

static void test_senders(void **state)
{
    static const struct {
        const char *text, *name, *address; /* address NULL: refused */
    } cases[] = {
        {"a@b.c", "", "a@b.c"},
        {"Docle <a@b.c>", "Docle", "a@b.c"},
        {"<a@b.c>", "", "a@b.c"},
        {"\"Docle, Inc.\" <A@B.c>", "Docle, Inc.", "a@b.c"},
        {"D\xc3\xb6kle <a@b.c>", "D\xc3\xb6kle", "a@b.c"},
        {"a < b <a@b.c>", "a < b", "a@b.c"},
        {"", NULL, NULL},
        {"<", NULL, NULL},
        {"<>", NULL, NULL},
        {"Docle", NULL, NULL},
        {"Docle <a@b.c", NULL, NULL},
        {"Docle <a@b.c> ", NULL, NULL},
        {"Docle <a@b.c>>", NULL, NULL},
        {"Docle\r\nBcc: x@y.z <a@b.c>", NULL, NULL},
        {"Docle\x7f <a@b.c>", NULL, NULL},
        {"Docle\xff <a@b.c>", NULL, NULL},
        {"Docle <a@b.c\r\nBcc: x@y.z>", NULL, NULL},
        {SIXTY SIXTY TEN " <a@b.c>", NULL, NULL}, /* 130 */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mime_sender sender;
        bool good = mime_read_sender(cases[i].text, &sender);

        if (good != (cases[i].address != NULL))
            fail_msg("'%s': %d", cases[i].text, good);
        if (!good)
            continue;
        assert_string_equal(sender.name, cases[i].name);
        assert_string_equal(sender.address, cases[i].address);
    }
}

static void print(const char *subject, const char *text, struct dc_buf *out)
{
    struct mime_sender sender;

    assert_true(mime_read_sender("\"D\xc3\xb6kle\" <no-reply@example.com>", &sender));
    dc_buf_init(out, 1 << 20);
    mime_print(&(struct mime_mail){.from = &sender,
                                   .to = "ada@example.com",
                                   .subject = subject,
                                   .text = text,
                                   .html = "<p>",
                                   .id = "7",
                                   .date_ns = INT64_C(1700000000) * DC_NS_PER_S},
               out);
    assert_false(out->failed);
}

/* Each line ends with CR LF, none is longer than RFC 5322 allows, and the header has the fields
 * that it should have and no other. */
static void check_lines(const char *message)
{
    static const char *const fields[] = {
        "From: ",          "To: ",           "Subject: ",        "Date: ",
        "Message-ID: <7.", "MIME-Version: ", "Auto-Submitted: ", "Content-Type: ",
        " =?utf-8?B?"};
    bool in_header = true;

    for (const char *line = message; *line;) {
        size_t length = strcspn(line, "\r\n");
        bool known = false;

        assert_memory_equal(line + length, "\r\n", 2);
        assert_true(length <= 78 + 24); /* Message-ID is one word */
        in_header = in_header && length > 0;
        for (size_t i = 0; i < COUNT(fields); i++)
            known |= strncmp(line, fields[i], strlen(fields[i])) == 0;
        if (in_header && !known)
            fail_msg("a line of the header: %.*s", (int)length, line);
        line += length + 2;
    }
}

static void test_mails(void **state)
{
    static const char *const subjects[] = {
        "Sign in to Docle",
        "",
        "\xc3\xb6",
        "a\r\nBcc: x@y.z",
        "a\nBcc: x@y.z\n\nbody",
        "=?utf-8?B?QmNj?=",
        "\xff\xfe broken \xc3",
        SIXTY SIXTY SIXTY "\xe2\x82\xac" SIXTY SIXTY,
        FACE FACE FACE FACE FACE FACE FACE FACE FACE FACE FACE FACE,
    };

    (void)state;
    for (size_t i = 0; i < COUNT(subjects); i++) {
        DC_AUTO(dc_buf_release) struct dc_buf out;

        print(subjects[i], "line\r\n.\r\nQUIT\r\n", &out);
        check_lines(out.data);
        assert_null(strstr(out.data, "\nBcc"));
        assert_null(strstr(out.data, "\r\n.\r\n")); /* would end the mail in SMTP */
        assert_non_null(strstr(out.data, "\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n"));
        assert_non_null(strstr(out.data, "From: =?utf-8?B?RMO2a2xl?= <no-reply@example.com>\r\n"));
    }
}

static void test_words_are_escaped(void **state)
{
    static const char bad[] = "</p><script>alert(\"x\" + 'y')</script>&amp;";
    const struct mail_words words = {
        .title = bad, .lines = {bad, bad}, .button = bad, .link = bad, .footer = bad};
    DC_AUTO(dc_buf_release) struct dc_buf html;
    DC_AUTO(dc_buf_release) struct dc_buf text;
    size_t count = 0;

    (void)state;
    dc_buf_init(&html, 1 << 16);
    dc_buf_init(&text, 1 << 16);
    mail_print_html(&words, &html);
    mail_print_text(&words, &text);
    assert_null(strstr(html.data, "<script"));
    assert_null(strstr(html.data, "'y'"));
    for (const char *at = html.data;
         (at = strstr(at, "&lt;/p&gt;&lt;script&gt;alert(&quot;x&quot; + &#39;y&#39;)&lt;/script"
                          "&gt;&amp;amp;"));
         at++)
        count++;
    assert_int_equal(count, 7); /* the title twice */
    assert_non_null(strstr(text.data, bad));
}

/* ---- roles ---- */

static void test_roles(void **state)
{
    /* none viewer developer admin owner */
    static const bool may[PERMISSIONS][5] = {
        [PERMIT_VIEW] = {0, 1, 1, 1, 1}, [PERMIT_RUN] = {0, 0, 1, 1, 1},
        [PERMIT_KEYS] = {0, 0, 1, 1, 1}, [PERMIT_MANAGE] = {0, 0, 0, 1, 1},
        [PERMIT_BILL] = {0, 0, 0, 1, 1}, [PERMIT_OWN] = {0, 0, 0, 0, 1},
    };
    static const char *const unknown[] = {"", "none", "Owner", "owner ", "root", "admin\n"};
    enum role role = ROLE_NONE;

    (void)state;
    for (int p = 0; p < PERMISSIONS; p++)
        for (int r = ROLE_NONE; r <= ROLE_OWNER; r++)
            assert_int_equal(role_may((enum role)r, (enum permission)p), may[p][r]);
    for (int r = ROLE_VIEWER; r <= ROLE_OWNER; r++) {
        assert_true(role_from_name(role_name((enum role)r), &role));
        assert_int_equal(role, r);
    }
    for (size_t i = 0; i < COUNT(unknown); i++)
        assert_false(role_from_name(unknown[i], &role));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_email_taken),
        cmocka_unit_test(test_email_refused),
        cmocka_unit_test(test_email_length),
        cmocka_unit_test(test_email_lists),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_tokens_refused),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_cookies),
        cmocka_unit_test(test_senders),
        cmocka_unit_test(test_mails),
        cmocka_unit_test(test_words_are_escaped),
        cmocka_unit_test(test_roles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
