#include "api/body.h"

#include <string.h>
#include <strings.h>

#include "base/poison.h"

void body_release(struct body *body)
{
    json_decref(body->root);
    problems_release(&body->problems);
}

/* JSON alone: a form of another site can send the other types without being asked. */
static bool is_json(const char *type)
{
    static const char json[] = "application/json";
    size_t length = sizeof(json) - 1;

    return type && strncasecmp(type, json, length) == 0 &&
           (type[length] == '\0' || strchr("; \t", type[length]));
}

bool body_read(struct call *call, struct body *ret_body)
{
    json_error_t error;

    *ret_body = (struct body){0};
    problems_init(&ret_body->problems);
    if (call->body_length == 0) {
        ret_body->root = json_object();
    } else if (!is_json(call_header(call, "Content-Type"))) {
        call_fail(call, &(struct call_error){.status = 415,
                                             .error = "Unsupported media type",
                                             .code = "unsupported_media_type",
                                             .message = "Send the body as JSON, with Content-Type: "
                                                        "application/json."});
        return false;
    } else if (call->body_length <= BODY_SMALL_MAX_BYTES) {
        ret_body->root = json_loadb(call->body, call->body_length, JSON_REJECT_DUPLICATES, &error);
    }
    if (json_is_object(ret_body->root))
        return true;
    problems_add(&ret_body->problems, PROBLEM_INVALID_JSON, "",
                 "the body is not a JSON object of at most %d bytes, each member once",
                 BODY_SMALL_MAX_BYTES);
    (void)body_fail(call, ret_body);
    return false;
}

const char *body_text(struct body *body, const char *name)
{
    const json_t *value = json_object_get(body->root, name);

    if (!value || json_is_null(value))
        return NULL;
    if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value)) {
        problems_add(&body->problems, PROBLEM_TYPE, name, "must be a string without NUL");
        return NULL;
    }
    return json_string_value(value);
}

bool body_fail(struct call *call, struct body *body)
{
    if (!body->problems.total)
        return false;
    call_fail_problems(call, &body->problems);
    return true;
}
