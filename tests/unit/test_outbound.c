/* Requests of the server against real servers (outbound_server.py) that are slow, too large,
 * broken, hostile. Deadlines that are met are short, all others long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/task.h"
#include "outbound/outbound.h"

#include "base/poison.h"

enum { LONG_MS = 300000, SHORT_MS = 200, MANY = 20 };

static struct {
    pid_t pid;
    int to;
    unsigned http, https, smtp, dead;
    char ca_file[256];
} server;

/* --- the servers ----------------------------------------------------------------------------- */

static void exec_server(const int *in, const int *out)
{
    (void)dup2(in[0], STDIN_FILENO);
    (void)dup2(out[1], STDOUT_FILENO);
    (void)close(in[1]);
    (void)execlp("python3", "python3", OUTBOUND_SERVER, NULL);
    _exit(127);
}

static int start_server(void **state)
{
    int in[2];
    int out[2];
    FILE *answers;
    int got;

    (void)state;
    if (pipe(in) < 0 || pipe(out) < 0)
        return -1;
    server.pid = fork();
    if (server.pid == 0)
        exec_server(in, out);
    (void)close(in[0]);
    (void)close(out[1]);
    server.to = in[1];
    answers = fdopen(out[0], "r");
    got = fscanf(answers, "%u %u %u %u %255s", &server.http, &server.https, &server.smtp,
                 &server.dead, server.ca_file);
    (void)fclose(answers);
    /* None of these may count. */
    (void)setenv("http_proxy", "http://127.0.0.1:1", 1);
    (void)setenv("https_proxy", "http://127.0.0.1:1", 1);
    (void)setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    return got == 5 ? 0 : -1;
}

static int end_server(void **state)
{
    (void)state;
    (void)close(server.to);
    return waitpid(server.pid, NULL, 0) == server.pid ? 0 : -1;
}

/* --- one request ----------------------------------------------------------------------------- */

struct attempt {
    struct outbound *outbound;
    struct outbound_options options;
    struct outbound_request request;
    struct outbound_response response;
    const struct outbound_mail *mail;
    unsigned times; /* one after another; 0: once */
    unsigned together;
    unsigned ended;
    unsigned good;
    bool stop_early;
    int result;
    struct dc_err err;
};

static void carry_out(void *arg)
{
    struct attempt *attempt = arg;
    struct outbound_response response = {0};
    struct dc_err err = {0};
    int result = 0;
    unsigned times = attempt->times ? attempt->times : 1;

    for (unsigned i = 0; i < times && result == 0; i++) {
        outbound_response_release(&response);
        result = attempt->mail
                     ? outbound_mail(attempt->outbound, attempt->mail, &err)
                     : outbound_http(attempt->outbound, &attempt->request, &response, &err);
    }
    outbound_response_release(&attempt->response);
    attempt->response = response;
    attempt->result = result;
    attempt->err = err;
    attempt->good += result == 0;
    if (++attempt->ended == attempt->together && !attempt->stop_early)
        outbound_stop(attempt->outbound);
}

static void stop(uv_timer_t *timer)
{
    outbound_stop(timer->data);
    uv_close((uv_handle_t *)timer, NULL);
}

static void run(struct attempt *attempt)
{
    uv_loop_t loop;
    uv_timer_t timer;
    struct dc_err err;

    if (!attempt->options.ca_file)
        attempt->options.ca_file = server.ca_file;
    attempt->together = attempt->together ? attempt->together : 1;
    if (!attempt->request.total_ms)
        attempt->request.total_ms = LONG_MS;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(outbound_new(&attempt->options, &attempt->outbound, &err), 0);
    assert_int_equal(outbound_start(attempt->outbound, &loop, &err), 0);
    if (attempt->stop_early) {
        (void)uv_timer_init(&loop, &timer);
        timer.data = attempt->outbound;
        (void)uv_timer_start(&timer, stop, SHORT_MS, 0);
    }
    for (unsigned i = 0; i < attempt->together; i++)
        assert_int_equal(task_start(&loop, carry_out, attempt, &err), 0);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(attempt->ended, attempt->together);
    assert_int_equal(outbound_active(attempt->outbound), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    outbound_free(attempt->outbound);
    task_release_kept();
}

static const char *url(const char *scheme, unsigned port, const char *path)
{
    static char text[128];

    (void)snprintf(text, sizeof(text), "%s://127.0.0.1:%u%s", scheme, port, path);
    return text;
}

static void get(struct attempt *attempt, const char *path)
{
    attempt->request.url = url("http", server.http, path);
    run(attempt);
}

static void expect(struct attempt *attempt, const char *path, enum dc_code code)
{
    get(attempt, path);
    assert_string_equal(dc_code_name((enum dc_code) - attempt->result), dc_code_name(code));
    if (code)
        assert_non_null(strstr(attempt->err.text, "127.0.0.1"));
    outbound_response_release(&attempt->response);
}

/* --- tests ----------------------------------------------------------------------------------- */

static void test_get(void **state)
{
    struct attempt attempt = {0};
    char value[16];

    (void)state;
    get(&attempt, "/echo");
    assert_int_equal(attempt.result, 0);
    assert_int_equal(attempt.response.status, 200);
    assert_string_equal(dc_buf_str(&attempt.response.body), "GET None None None ");
    assert_true(outbound_header(&attempt.response, "x-seen", value, sizeof(value)));
    assert_memory_equal(value, "yes", 3);
    assert_false(outbound_header(&attempt.response, "x-see", value, sizeof(value)));
    assert_false(outbound_header(&attempt.response, "x-seen", value, 3));
    outbound_response_release(&attempt.response);
    attempt = (struct attempt){0};
    get(&attempt, "/missing");
    assert_int_equal(attempt.result, 0);
    assert_int_equal(attempt.response.status, 404);
    outbound_response_release(&attempt.response);
}

static void test_post(void **state)
{
    struct attempt attempt = {.request = {.body = "a\0b", .body_length = 3}};

    (void)state;
    attempt.request.fields[0] = (struct outbound_field){"Content-Type", "text/x"};
    attempt.request.fields[1] = (struct outbound_field){"Authorization", "Bearer t"};
    get(&attempt, "/echo");
    assert_int_equal(attempt.response.body.length, strlen("POST text/x Bearer t None ") + 3);
    assert_memory_equal(attempt.response.body.data, "POST text/x Bearer t None a\0b", 29);
    outbound_response_release(&attempt.response);
}

static void test_cookies_are_not_kept(void **state)
{
    struct attempt attempt = {.times = 2};

    (void)state;
    get(&attempt, "/echo");
    assert_string_equal(dc_buf_str(&attempt.response.body), "GET None None None ");
    outbound_response_release(&attempt.response);
}

static void test_connections_are_kept(void **state)
{
    struct attempt attempt = {.times = 2};
    long first;

    (void)state;
    get(&attempt, "/number");
    first = strtol(dc_buf_str(&attempt.response.body), NULL, 10);
    outbound_response_release(&attempt.response);
    attempt = (struct attempt){.times = 5};
    get(&attempt, "/number");
    assert_int_equal(strtol(dc_buf_str(&attempt.response.body), NULL, 10), first + 1);
    outbound_response_release(&attempt.response);
}

static void test_large(void **state)
{
    (void)state;
    expect(&(struct attempt){.request = {.response_max = 99999}}, "/big", DC_LIMIT);
    expect(&(struct attempt){.request = {.response_max = 100000}}, "/big", DC_OK);
    expect(&(struct attempt){.request = {.response_max = 99999}}, "/endless", DC_LIMIT);
    expect(&(struct attempt){0}, "/header", DC_LIMIT);
}

static void test_compressed(void **state)
{
    struct attempt attempt = {.request = {.compressed = true}};

    (void)state;
    get(&attempt, "/zipped");
    assert_string_equal(dc_buf_str(&attempt.response.body), "unzipped");
    outbound_response_release(&attempt.response);
    expect(&(struct attempt){.request = {.compressed = true}}, "/bomb", DC_LIMIT);
    expect(&(struct attempt){.request = {.compressed = true}}, "/broken-zip", DC_BUG);
}

static void test_slow(void **state)
{
    (void)state;
    expect(&(struct attempt){.request = {.total_ms = SHORT_MS}}, "/silent", DC_TIMEOUT);
    expect(&(struct attempt){.request = {.total_ms = SHORT_MS}}, "/dribble", DC_TIMEOUT);
    expect(&(struct attempt){.request = {.idle_ms = 1}}, "/dribble", DC_TIMEOUT);
}

static void test_broken(void **state)
{
    struct attempt attempt = {0};

    (void)state;
    expect(&(struct attempt){0}, "/short", DC_BUSY);
    expect(&(struct attempt){0}, "/reset", DC_BUSY);
    attempt.request.url = url("http", server.dead, "/");
    run(&attempt);
    assert_int_equal(attempt.result, -DC_BUSY);
    outbound_response_release(&attempt.response);
}

static void test_garbage(void **state)
{
    (void)state;
    /* HTTP/0.9 is none. */
    expect(&(struct attempt){0}, "/garbage", DC_BUG);
}

static void test_redirects(void **state)
{
    struct attempt attempt = {0};

    (void)state;
    get(&attempt, "/to-echo");
    assert_int_equal(attempt.response.status, 302);
    assert_false(attempt.response.elsewhere);
    outbound_response_release(&attempt.response);

    attempt = (struct attempt){.request = {.redirects_max = 3}};
    attempt.request.fields[0] = (struct outbound_field){"Authorization", "Bearer t"};
    get(&attempt, "/to-echo");
    assert_int_equal(attempt.response.status, 200);
    assert_true(attempt.response.elsewhere);
    assert_string_equal(dc_buf_str(&attempt.response.body), "GET None Bearer t None ");
    outbound_response_release(&attempt.response);

    expect(&(struct attempt){.request = {.redirects_max = 3}}, "/loop", DC_LIMIT);
    expect(&(struct attempt){.request = {.redirects_max = 3}}, "/to-file", DC_INVALID);
}

static void test_secrets_stay_with_their_host(void **state)
{
    struct attempt attempt = {.request = {.redirects_max = 3}};

    (void)state;
    attempt.request.fields[0] = (struct outbound_field){"Authorization", "Bearer t"};
    get(&attempt, "/to-other");
    assert_string_equal(dc_buf_str(&attempt.response.body), "GET None None None ");
    outbound_response_release(&attempt.response);
}

static void test_tls(void **state)
{
    struct attempt attempt = {0};

    (void)state;
    attempt.request.url = url("https", server.https, "/echo");
    run(&attempt);
    assert_int_equal(attempt.result, 0);
    outbound_response_release(&attempt.response);

    attempt = (struct attempt){.options.ca_file = ""}; /* the system's: they do not know it */
    attempt.request.url = url("https", server.https, "/echo");
    run(&attempt);
    assert_int_equal(attempt.result, -DC_DENIED);
    outbound_response_release(&attempt.response);

    attempt = (struct attempt){.request = {.redirects_max = 3}};
    attempt.request.url = url("https", server.https, "/to-http");
    run(&attempt);
    assert_int_equal(attempt.result, -DC_INVALID);
    outbound_response_release(&attempt.response);
}

static void test_certificate_of_another_name(void **state)
{
    struct attempt attempt = {0};
    char text[64];

    (void)state;
    (void)snprintf(text, sizeof(text), "https://localhost:%u/echo", server.https);
    attempt.request.url = text;
    run(&attempt);
    assert_int_equal(attempt.result, -DC_DENIED);
    outbound_response_release(&attempt.response);
}

static void test_certificates_must_be_some(void **state)
{
    struct outbound *outbound = NULL;
    struct dc_err err;

    (void)state;
    assert_int_equal(
        outbound_new(&(struct outbound_options){.ca_file = "/dev/null"}, &outbound, &err),
        -DC_INVALID);
    assert_null(outbound);
}

static void test_proxy(void **state)
{
    struct attempt attempt = {0};
    char proxy[64];

    (void)state;
    (void)snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", server.dead);
    attempt.options.proxy = proxy;
    get(&attempt, "/echo");
    assert_int_equal(attempt.result, -DC_BUSY);
    outbound_response_release(&attempt.response);
}

static void test_urls(void **state)
{
    static const char *const bad[] = {
        "file:///etc/passwd", "ftp://127.0.0.1/", "no url", "", "http://user:secret@127.0.0.1/",
        "smtp://127.0.0.1/"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct attempt attempt = {.request = {.url = bad[i]}};

        run(&attempt);
        assert_int_equal(attempt.result, -DC_INVALID);
        assert_null(strstr(attempt.err.text, "secret"));
        outbound_response_release(&attempt.response);
    }
}

static void test_fields_cannot_be_smuggled(void **state)
{
    struct attempt attempt = {0};

    (void)state;
    attempt.request.fields[0] = (struct outbound_field){"X", "a\r\nY: b"};
    expect(&attempt, "/echo", DC_INVALID);
}

static int refuse(void *context, const void *bytes, size_t length, struct dc_err *err)
{
    (void)bytes;
    *(size_t *)context += length;
    return dc_fail(err, DC_CONFLICT, 0, "127.0.0.1: not that");
}

static int count(void *context, const void *bytes, size_t length, struct dc_err *err)
{
    (void)bytes;
    (void)err;
    *(size_t *)context += length;
    return 0;
}

static void test_chunks(void **state)
{
    size_t bytes = 0;

    (void)state;
    expect(&(struct attempt){.request = {.chunk = count, .context = &bytes}}, "/big", DC_OK);
    assert_int_equal(bytes, 100000);
    expect(&(struct attempt){.request = {.chunk = refuse, .context = &bytes}}, "/big", DC_CONFLICT);
    expect(&(struct attempt){.request = {.chunk = count, .context = &bytes, .response_max = 10}},
           "/big", DC_LIMIT);
}

static void test_many(void **state)
{
    struct attempt attempt = {.together = MANY, .times = 3};

    (void)state;
    get(&attempt, "/big");
    assert_int_equal(attempt.good, MANY);
    outbound_response_release(&attempt.response);
}

static void test_too_many(void **state)
{
    struct attempt attempt = {.together = OUTBOUND_MAX + 1};

    (void)state;
    get(&attempt, "/echo");
    assert_int_equal(attempt.good, OUTBOUND_MAX);
    outbound_response_release(&attempt.response);
}

static void test_stop(void **state)
{
    struct attempt attempt = {.stop_early = true, .together = MANY};

    (void)state;
    get(&attempt, "/silent");
    assert_int_equal(attempt.good, 0);
    assert_int_equal(attempt.result, -DC_BUSY);
    outbound_response_release(&attempt.response);
}

static int send_mail(const char *recipient, const char *text, bool plain)
{
    struct outbound_mail mail = {
        .url = url("smtp", server.smtp, ""),
        .plain = plain,
        .from = "docle@example.com",
        .recipients = {"one@example.com", recipient},
        .message = text,
        .message_length = strlen(text),
    };
    struct attempt attempt = {.mail = &mail};

    run(&attempt);
    return attempt.result;
}

static void test_mail(void **state)
{
    static const char text[] = "Subject: hello\r\n\r\nText\r\n.\r\nof two lines\r\n";

    (void)state;
    assert_int_equal(send_mail("two@example.com", text, true), 0);
    assert_int_equal(send_mail("gone@example.com", text, true), -DC_DENIED);
    assert_int_equal(send_mail("full@example.com", text, true), -DC_BUSY);
    assert_int_equal(send_mail("two@example.com", "Subject: other\r\n\r\n", true), -DC_DENIED);
    assert_int_equal(send_mail("two@example.com>\r\nRCPT TO:<x@y.z", text, true), -DC_INVALID);
    assert_int_equal(send_mail("nobody", text, true), -DC_INVALID);
    /* No STARTTLS: not without permission. */
    assert_int_equal(send_mail("two@example.com", text, false), -DC_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_post),
        cmocka_unit_test(test_cookies_are_not_kept),
        cmocka_unit_test(test_connections_are_kept),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_compressed),
        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_redirects),
        cmocka_unit_test(test_secrets_stay_with_their_host),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_certificate_of_another_name),
        cmocka_unit_test(test_certificates_must_be_some),
        cmocka_unit_test(test_proxy),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_fields_cannot_be_smuggled),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_mail),
    };

    return cmocka_run_group_tests(tests, start_server, end_server);
}
