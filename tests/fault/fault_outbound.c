/*
 * Requests of the server itself while memory, sockets and the loop fail under them: each ends, with
 * its answer or with a reason, and the next one is as good as ever.
 */
#include <stdio.h>
#include <string.h>

#include "fault.h"
#include "fault_service.h"
#include "net/task.h"

struct asking {
    struct service *service;
    int (*ask)(struct outbound *outbound, struct dc_err *err);
    int result;
    bool over;
    struct dc_err *err;
};

static int ask_http(struct outbound *outbound, const char *body, struct dc_err *err)
{
    DC_AUTO(outbound_response_release) struct outbound_response response = {0};
    struct outbound_request request = {
        .fields = {{"Authorization", "Bearer x"}, {"X-Docle", "y"}},
        .body = body,
        .body_length = body ? strlen(body) : 0,
    };
    char url[64];
    char type[32];

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/a", service_peer.http_port);
    request.url = url;
    if (outbound_http(outbound, &request, &response, err) < 0)
        return -err->code;
    if (response.status != 200 || strcmp(dc_buf_str(&response.body), body ? body : "") != 0 ||
        !outbound_header(&response, "content-type", type, sizeof(type)) ||
        strcmp(type, "application/json") != 0)
        return dc_fail(err, DC_BUG, 0, "half an answer passed for one");
    return 0;
}

static int get_and_post(struct outbound *outbound, struct dc_err *err)
{
    if (ask_http(outbound, NULL, err) < 0)
        return -err->code;
    return ask_http(outbound, "{\"some\":\"body\"}", err);
}

static int mail(struct outbound *outbound, struct dc_err *err)
{
    static const char message[] = "Subject: x\r\n\r\n.\r\nthe second line\r\n";
    char url[64];

    (void)snprintf(url, sizeof(url), "smtp://127.0.0.1:%u", service_peer.smtp_port);
    return outbound_mail(outbound,
                         &(struct outbound_mail){.url = url,
                                                 .plain = true,
                                                 .from = "a@b.example",
                                                 .recipients = {"c@d.example"},
                                                 .message = message,
                                                 .message_length = sizeof(message) - 1},
                         err);
}

/* Once with the fault, once after it. */
static void work(void *arg)
{
    struct asking *asking = arg;
    struct dc_err again = {0};

    asking->result = asking->ask(asking->service->outbound, asking->err);
    fault_pause(true);
    if (asking->ask(asking->service->outbound, &again) < 0)
        asking->result = dc_fail(asking->err, DC_BUG, 0, "not well afterwards: %s", again.text);
    fault_pause(false);
    asking->over = true;
}

static bool is_over(void *context)
{
    return ((struct asking *)context)->over;
}

static int run(int (*ask)(struct outbound *outbound, struct dc_err *err), struct dc_err *err)
{
    struct service service;
    struct asking asking = {.service = &service, .ask = ask, .err = err};
    int result = service_open(&service, false, err);

    if (result == 0)
        result = task_start(&service.loop, work, &asking, err);
    if (result == 0) {
        service_run(&service, is_over, &asking);
        result = asking.result;
    }
    return service_close(&service, result, err);
}

static int run_http(struct dc_err *err)
{
    return run(get_and_post, err);
}

static int run_mail(struct dc_err *err)
{
    return run(mail, err);
}

int main(void)
{
    static const struct fault_scenario scenarios[] = {
        {"ask over HTTP", run_http, NULL, FAULT_HARD | FAULT_SOFT},
        {"send a mail", run_mail, NULL, FAULT_HARD},
        /* libcurl 7.88 forgets the end of a letter that a socket took in two parts. */
        {"send a mail bit by bit", run_mail, NULL, FAULT_SOFT | FAULT_LEAVES_ONE},
    };
    int result;

    fault_hook_curl();
    if (!service_prepare(false))
        return 1;
    result = fault_main(scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
    service_clean();
    return result;
}
