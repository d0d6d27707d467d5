#include "billing/stripe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "net/task.h"

#include "base/poison.h"

enum {
    TIMEOUT_MS = 80000,
    PAUSE_MIN_MS = 500,
    PAUSE_MAX_MS = 5000,
    HEADER_MAX_BYTES = 512,
    URL_MAX_BYTES = 2048,
    ANSWER_MAX_BYTES = 4 << 20,
};

void stripe_answer_release(struct stripe_answer *answer)
{
    json_decref(answer->body);
    answer->body = NULL;
}

/* ---- reading ---- */

const json_t *stripe_member(const json_t *object, const char *path)
{
    char part[64];

    while (object && *path) {
        size_t length = strcspn(path, ".");

        if (length >= sizeof(part))
            return NULL;
        memcpy(part, path, length);
        part[length] = '\0';
        object = json_is_array(object) ? json_array_get(object, strtoul(part, NULL, 10))
                                       : json_object_get(object, part);
        path += length;
        path += *path == '.';
    }
    return object;
}

const char *stripe_text(const json_t *object, const char *path)
{
    return json_string_value(stripe_member(object, path));
}

int64_t stripe_number(const json_t *object, const char *path)
{
    return json_integer_value(stripe_member(object, path));
}

int64_t stripe_moment(const json_t *object, const char *path)
{
    int64_t seconds = stripe_number(object, path);

    return seconds > 0 && seconds < INT64_MAX / DC_NS_PER_S ? seconds * DC_NS_PER_S : 0;
}

bool stripe_id_valid(const char *text)
{
    size_t length = text ? strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "0123456789_")
                         : 0;

    return length >= 1 && length <= 66 && text[length] == '\0';
}

/* ---- asking ---- */

struct head {
    char authorization[HEADER_MAX_BYTES];
};

static void fill_head(const struct stripe *stripe, const char *key,
                      struct outbound_request *request, struct head *head)
{
    size_t count = 0;

    (void)snprintf(head->authorization, sizeof(head->authorization), "Bearer %s", stripe->key);
    request->fields[count++] = (struct outbound_field){"Authorization", head->authorization};
    request->fields[count++] = (struct outbound_field){"Stripe-Version", STRIPE_VERSION};
    request->fields[count++] = (struct outbound_field){"Accept", "application/json"};
    request->fields[count++] = (struct outbound_field){"User-Agent", "docle/" DOCLE_VERSION};
    if (key) {
        request->fields[count++] =
            (struct outbound_field){"Content-Type", "application/x-www-form-urlencoded"};
        request->fields[count++] = (struct outbound_field){"Idempotency-Key", key};
    }
}

static uint64_t pause_ms(int tries)
{
    uint64_t most = (uint64_t)PAUSE_MIN_MS << tries;
    uint16_t draw;

    dc_random_bytes(&draw, sizeof(draw));
    if (most > PAUSE_MAX_MS)
        most = PAUSE_MAX_MS;
    most = most / 2 + most / 2 * draw / UINT16_MAX;
    return most < PAUSE_MIN_MS ? PAUSE_MIN_MS : most;
}

/* What Stripe says of it, else its client's rule. Whatever went wrong on the way may go well. */
static bool is_worth_another(const struct outbound_response *response, int result)
{
    char said[8];

    if (result < 0)
        return result == -DC_BUSY || result == -DC_TIMEOUT;
    if (outbound_header(response, "Stripe-Should-Retry", said, sizeof(said)))
        return strcmp(said, "true") == 0;
    return response->status == 409 || response->status >= 500;
}

static int judge(const struct stripe_answer *answer, struct dc_err *err)
{
    const char *said = stripe_text(answer->body, "error.message");
    enum dc_code code = DC_INVALID;

    if (answer->status >= 200 && answer->status < 300)
        return answer->body ? 0 : dc_fail(err, DC_BUG, 0, "Stripe answered no JSON");
    if (answer->status == 404)
        code = DC_NOT_FOUND;
    else if (answer->status == 401 || answer->status == 403)
        code = DC_DENIED;
    else if (answer->status == 409 || answer->status == 429)
        code = DC_BUSY;
    else if (answer->status >= 500 || answer->status < 400)
        code = DC_KERNEL;
    return dc_fail(err, code, 0, "Stripe answered %d: %s", answer->status, said ? said : "");
}

static int ask(const struct stripe *stripe, const struct outbound_request *request,
               struct outbound_response *response, struct dc_err *err)
{
    for (int tries = 0;; tries++) {
        int result;

        outbound_response_release(response);
        *response = (struct outbound_response){0};
        result = outbound_http(stripe->outbound, request, response, err);
        if (tries >= stripe->retries || (stripe->stopping && *stripe->stopping) ||
            !is_worth_another(response, result))
            return result;
        task_sleep(pause_ms(tries));
    }
}

int stripe_call(const struct stripe *stripe, const char *method, const char *path,
                const struct dc_buf *form, const char *key, struct stripe_answer *answer,
                struct dc_err *err)
{
    DC_AUTO(outbound_response_release) struct outbound_response response = {0};
    bool post = strcmp(method, "POST") == 0;
    bool query = !post && form && form->length;
    char url[URL_MAX_BYTES];
    char made[DC_UUID_SIZE];
    struct head head;
    struct outbound_request request = {
        .method = method,
        .url = url,
        .total_ms = TIMEOUT_MS,
        .response_max = ANSWER_MAX_BYTES,
        .body = post ? (form ? dc_buf_str(form) : "") : NULL,
        .body_length = post && form ? form->length : 0,
    };

    if (form && form->failed)
        return dc_fail(err, DC_KERNEL, ENOMEM, "request to Stripe");
    if ((size_t)snprintf(url, sizeof(url), "%s%s%s%s", stripe->url, path, query ? "?" : "",
                         query ? dc_buf_str(form) : "") >= sizeof(url))
        return dc_fail(err, DC_LIMIT, 0, "the URL for Stripe is too long");
    if (post && !key) {
        dc_uuid7(dc_wall_now(), made);
        key = made;
    }
    fill_head(stripe, post ? key : NULL, &request, &head);
    if (ask(stripe, &request, &response, err) < 0)
        return dc_context(err, "Stripe, %s %.60s", method, path);
    answer->status = response.status;
    answer->body =
        json_loadb(dc_buf_str(&response.body), response.body.length, JSON_REJECT_DUPLICATES, NULL);
    return judge(answer, err);
}
