#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "outbound/outbound_internal.h"

#include "base/poison.h"

enum { FIELD_MAX = 8192 };

struct exchange {
    struct transfer transfer;
    const struct outbound_request *request;
    struct outbound_response *response;
    size_t received; /* of the body, decompressed */
    size_t max;
};

static void too_large(struct exchange *exchange)
{
    (void)dc_fail(&exchange->transfer.err, DC_LIMIT, 0, "'%.80s' answers with more than %zu bytes",
                  exchange->transfer.host, exchange->max);
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    size_t length = size * count;

    if (length >= 5 && memcmp(bytes, "HTTP/", 5) == 0) { /* another answer begins */
        dc_buf_consume(&exchange->response->headers, exchange->response->headers.length);
        exchange->response->body.length = 0;
        exchange->received = 0;
    }
    if (dc_buf_append(&exchange->response->headers, bytes, length))
        return length;
    if (length > exchange->response->headers.max - exchange->response->headers.length)
        (void)dc_fail(&exchange->transfer.err, DC_LIMIT, 0,
                      "'%.80s' answers with too long a header", exchange->transfer.host);
    else
        (void)dc_fail(&exchange->transfer.err, DC_KERNEL, ENOMEM, "answer of '%.80s'",
                      exchange->transfer.host);
    return 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    const struct outbound_request *request = exchange->request;
    size_t length = size * count;

    if (length > exchange->max - exchange->received) {
        too_large(exchange);
        return 0;
    }
    exchange->received += length;
    if (request->chunk)
        return request->chunk(request->context, bytes, length, &exchange->transfer.err) < 0
                   ? 0
                   : length;
    if (dc_buf_append(&exchange->response->body, bytes, length))
        return length;
    (void)dc_fail(&exchange->transfer.err, DC_KERNEL, ENOMEM, "answer of '%.80s'",
                  exchange->transfer.host);
    return 0;
}

static bool line_valid(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

static int add_fields(struct exchange *exchange, struct dc_err *err)
{
    struct transfer *transfer = &exchange->transfer;
    const struct outbound_field *fields = exchange->request->fields;
    char line[FIELD_MAX];

    for (size_t i = 0; i < OUTBOUND_FIELDS_MAX && fields[i].name; i++) {
        int length = snprintf(line, sizeof(line), "%s: %s", fields[i].name, fields[i].value);

        if (!line_valid(line) || length < 0 || (size_t)length >= sizeof(line))
            return dc_fail(err, DC_INVALID, 0, "'%.80s': a header field that cannot be sent",
                           transfer->host);
        if (transfer_list_add(transfer, 0, line, err) < 0)
            return -err->code;
    }
    /* No "Expect: 100-continue": it only costs time. */
    return transfer_list_add(transfer, 0, "Expect:", err);
}

static uint32_t total_ms(const struct outbound_request *request)
{
    return request->total_ms ? request->total_ms : OUTBOUND_TOTAL_MS;
}

static CURLcode set_times(struct exchange *exchange, CURLcode bad)
{
    const struct outbound_request *request = exchange->request;
    struct transfer *transfer = &exchange->transfer;
    uint32_t connect = request->connect_ms ? request->connect_ms : OUTBOUND_CONNECT_MS;

    TRANSFER_SET(bad, transfer, CURLOPT_CONNECTTIMEOUT_MS, (long)connect);
    TRANSFER_SET(bad, transfer, CURLOPT_TIMEOUT_MS, (long)total_ms(request));
    if (request->idle_ms) {
        TRANSFER_SET(bad, transfer, CURLOPT_LOW_SPEED_LIMIT, 1L);
        TRANSFER_SET(bad, transfer, CURLOPT_LOW_SPEED_TIME, (long)(request->idle_ms + 999) / 1000);
    }
    return bad;
}

static CURLcode set_body(struct exchange *exchange, CURLcode bad)
{
    const struct outbound_request *request = exchange->request;
    struct transfer *transfer = &exchange->transfer;

    if (request->body) {
        TRANSFER_SET(bad, transfer, CURLOPT_POST, 1L);
        TRANSFER_SET(bad, transfer, CURLOPT_POSTFIELDS, request->body);
        TRANSFER_SET(bad, transfer, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
    }
    if (request->method)
        TRANSFER_SET(bad, transfer, CURLOPT_CUSTOMREQUEST, request->method);
    return bad;
}

static CURLcode set_redirects(struct exchange *exchange, CURLcode bad)
{
    const struct outbound_request *request = exchange->request;
    struct transfer *transfer = &exchange->transfer;
    bool secure = strncasecmp(request->url, "https:", 6) == 0;

    if (!request->redirects_max)
        return bad;
    TRANSFER_SET(bad, transfer, CURLOPT_FOLLOWLOCATION, 1L);
    TRANSFER_SET(bad, transfer, CURLOPT_MAXREDIRS, (long)request->redirects_max);
    TRANSFER_SET(bad, transfer, CURLOPT_UNRESTRICTED_AUTH, 0L);
    TRANSFER_SET(bad, transfer, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
    return bad;
}

/* SECURITY: the address that is judged is the one that is connected to, whatever the name says a
 * moment later (tests/api/test_webhook_attacks.py). */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct exchange *exchange = context;
    const struct outbound_request *request = exchange->request;

    if (purpose != CURLSOCKTYPE_IPCXN || !request->allow(request->allow_context, &address->addr)) {
        (void)dc_fail(&exchange->transfer.err, DC_DENIED, 0,
                      "'%.80s' leads to an address that may not be reached",
                      exchange->transfer.host);
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static CURLcode set_guard(struct exchange *exchange, CURLcode bad)
{
    struct transfer *transfer = &exchange->transfer;

    if (!exchange->request->allow)
        return bad;
    TRANSFER_SET(bad, transfer, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    TRANSFER_SET(bad, transfer, CURLOPT_OPENSOCKETDATA, exchange);
    TRANSFER_SET(bad, transfer, CURLOPT_PROXY, "");
    TRANSFER_SET(bad, transfer, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    TRANSFER_SET(bad, transfer, CURLOPT_FRESH_CONNECT, 1L);
    TRANSFER_SET(bad, transfer, CURLOPT_FORBID_REUSE, 1L);
    return bad;
}

static int prepare(struct exchange *exchange, struct dc_err *err)
{
    struct transfer *transfer = &exchange->transfer;
    CURLcode bad = CURLE_OK;

    if (add_fields(exchange, err) < 0)
        return -err->code;
    TRANSFER_SET(bad, transfer, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    TRANSFER_SET(bad, transfer, CURLOPT_HTTPHEADER, transfer->lists[0]);
    TRANSFER_SET(bad, transfer, CURLOPT_USERAGENT, "docle/" DOCLE_VERSION);
    TRANSFER_SET(bad, transfer, CURLOPT_HEADERFUNCTION, on_header);
    TRANSFER_SET(bad, transfer, CURLOPT_HEADERDATA, exchange);
    TRANSFER_SET(bad, transfer, CURLOPT_WRITEFUNCTION, on_body);
    TRANSFER_SET(bad, transfer, CURLOPT_WRITEDATA, exchange);
    if (exchange->request->compressed)
        TRANSFER_SET(bad, transfer, CURLOPT_ACCEPT_ENCODING, "gzip");
    bad =
        set_guard(exchange, set_redirects(exchange, set_body(exchange, set_times(exchange, bad))));
    return transfer_settings(bad, err);
}

static int run(struct outbound *outbound, struct exchange *exchange, struct dc_err *err)
{
    struct transfer *transfer = &exchange->transfer;
    long number = 0;

    if (transfer_init(outbound, transfer, exchange->request->url, "http,https", err) < 0 ||
        prepare(exchange, err) < 0 ||
        transfer_run(outbound, transfer, total_ms(exchange->request), err) < 0)
        return -err->code;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &number);
    exchange->response->status = (int)number;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_COUNT, &number);
    exchange->response->elsewhere = number > 0;
    return 0;
}

int outbound_http(struct outbound *outbound, const struct outbound_request *request,
                  struct outbound_response *ret_response, struct dc_err *err)
{
    struct exchange exchange = {
        .request = request,
        .response = ret_response,
        .max = request->response_max ? request->response_max : OUTBOUND_RESPONSE_MAX_BYTES,
    };
    int result;

    *ret_response = (struct outbound_response){0};
    dc_buf_init(&ret_response->headers, OUTBOUND_HEADERS_MAX_BYTES);
    dc_buf_init(&ret_response->body, exchange.max);
    result = run(outbound, &exchange, err);
    transfer_release(&exchange.transfer);
    return result;
}

void outbound_response_release(struct outbound_response *response)
{
    dc_buf_release(&response->headers);
    dc_buf_release(&response->body);
}

bool outbound_header(const struct outbound_response *response, const char *name, char *out,
                     size_t size)
{
    const char *line = dc_buf_str(&response->headers);
    size_t name_length = strlen(name);

    while (*line) {
        size_t length = strcspn(line, "\r\n");

        if (length > name_length && line[name_length] == ':' &&
            strncasecmp(line, name, name_length) == 0) {
            const char *value = line + name_length + 1;
            size_t blank = strspn(value, " \t");
            size_t rest = length - name_length - 1;

            if (blank > rest || rest - blank >= size)
                return false;
            memcpy(out, value + blank, rest - blank);
            out[rest - blank] = '\0';
            return true;
        }
        line += length;
        line += strspn(line, "\r\n");
    }
    return false;
}
