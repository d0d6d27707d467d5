#include "runs/problems.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#include "base/poison.h"

void problems_init(struct problems *problems)
{
    *problems = (struct problems){0};
}

void problems_release(struct problems *problems)
{
    if (!problems)
        return;
    free(problems->list);
    *problems = (struct problems){0};
}

/* Cuts a text that snprintf may have cut inside a character. */
static void end_on_character(char *text)
{
    text[dc_utf8_cut(text, strlen(text))] = '\0';
}

void problems_add(struct problems *problems, enum problem_code code, const char *path,
                  const char *format, ...)
{
    struct problem *problem;
    char message[sizeof(problem->message)];
    va_list args;

    problems->total++;
    if (!problems->list)
        problems->list = calloc(PROBLEMS_MAX, sizeof(*problems->list));
    if (!problems->list || problems->count == PROBLEMS_MAX)
        return; /* counted all the same: total says that the request is bad */
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    problem = &problems->list[problems->count++];
    problem->code = code;
    (void)snprintf(problem->path, sizeof(problem->path), "%s", path);
    memcpy(problem->message, message, sizeof(message));
    end_on_character(problem->path);
    end_on_character(problem->message);
}

const char *problem_quote(const char *text, size_t length, char out[static 72])
{
    enum { SHOWN = 60 };
    size_t to = 0;
    size_t at = 0;

    while (at < length && to < SHOWN) {
        size_t step = dc_utf8_sequence(text + at, length - at);

        if (to + (step ? step : 1) > SHOWN)
            break;
        if (step == 1 && ((uint8_t)text[at] < 0x20 || text[at] == 0x7f)) {
            out[to++] = '?';
            at++;
        } else if (step) {
            memcpy(out + to, text + at, step);
            to += step;
            at += step;
        } else {
            out[to++] = '?';
            at += dc_utf8_bad_length(text + at, length - at);
        }
    }
    (void)snprintf(out + to, 72 - to, "%s", at < length ? "..." : "");
    return out;
}

const char *problem_code_name(enum problem_code code)
{
    static const char *const names[PROBLEM_CODES] = {
        [PROBLEM_INVALID_JSON] = "invalid_json",
        [PROBLEM_TOO_DEEP] = "json_too_deep",
        [PROBLEM_MISSING] = "missing_field",
        [PROBLEM_TYPE] = "invalid_type",
        [PROBLEM_VALUE] = "invalid_value",
        [PROBLEM_RANGE] = "out_of_range",
        [PROBLEM_CEILING] = "above_ceiling",
        [PROBLEM_UNKNOWN_FIELD] = "unknown_field",
        [PROBLEM_PATH] = "invalid_path",
        [PROBLEM_DUPLICATE_PATH] = "duplicate_path",
        [PROBLEM_ENCODING] = "invalid_encoding",
        [PROBLEM_TOO_MANY] = "too_many",
        [PROBLEM_TOO_LARGE] = "too_large",
        [PROBLEM_DISK] = "files_exceed_disk",
        [PROBLEM_ENTRYPOINT] = "entrypoint_not_found",
        [PROBLEM_NOT_ENABLED] = "not_enabled",
        [PROBLEM_RUNTIME] = "runtime_unavailable",
        [PROBLEM_PACKAGE] = "invalid_package",
    };

    return names[code];
}

static bool print_text(struct dc_buf *out, const char *text)
{
    return dc_buf_json_string(out, text, strlen(text));
}

/* Length of the top-level field's name at the start of a path. */
static size_t field_length(const char *path)
{
    return strcspn(path, ".[");
}

static bool same_field(const char *a, const char *b)
{
    size_t length = field_length(a);

    return length == field_length(b) && memcmp(a, b, length) == 0;
}

bool problems_about(const struct problems *problems, const char *field)
{
    for (size_t i = 0; i < problems->count; i++)
        if (same_field(problems->list[i].path, field))
            return true;
    return false;
}

static bool seen_before(const struct problems *problems, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (same_field(problems->list[i].path, problems->list[index].path))
            return true;
    return false;
}

/* A string array of the messages of all problems of one field; "" is the form itself. */
static void print_messages(const struct problems *problems, const char *field, struct dc_buf *out)
{
    const char *comma = "";

    (void)dc_buf_byte(out, '[');
    for (size_t i = 0; i < problems->count; i++) {
        if (!same_field(problems->list[i].path, field))
            continue;
        (void)dc_buf_text(out, comma);
        (void)print_text(out, problems->list[i].message);
        comma = ",";
    }
    (void)dc_buf_byte(out, ']');
}

/* The shape of the original's validator: messages by top-level field. */
static void print_issues(const struct problems *problems, struct dc_buf *out)
{
    const char *comma = "";

    (void)dc_buf_text(out, "{\"formErrors\":");
    print_messages(problems, "", out);
    (void)dc_buf_text(out, ",\"fieldErrors\":{");
    for (size_t i = 0; i < problems->count; i++) {
        const char *path = problems->list[i].path;

        if (!*path || seen_before(problems, i))
            continue;
        (void)dc_buf_text(out, comma);
        (void)dc_buf_json_string(out, path, field_length(path));
        (void)dc_buf_byte(out, ':');
        print_messages(problems, path, out);
        comma = ",";
    }
    (void)dc_buf_text(out, "}}");
}

static void print_details(const struct problems *problems, struct dc_buf *out)
{
    (void)dc_buf_byte(out, '[');
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->list[i];

        (void)dc_buf_text(out, i ? ",{\"path\":" : "{\"path\":");
        (void)print_text(out, problem->path);
        (void)dc_buf_text(out, ",\"code\":");
        (void)print_text(out, problem_code_name(problem->code));
        (void)dc_buf_text(out, ",\"message\":");
        (void)print_text(out, problem->message);
        (void)dc_buf_byte(out, '}');
    }
    if (problems->total > problems->count)
        (void)dc_buf_printf(out, ",{\"path\":\"\",\"code\":\"too_many\",\"message\":\"%zu more\"}",
                            problems->total - problems->count);
    (void)dc_buf_byte(out, ']');
}

bool problems_print(const struct problems *problems, struct dc_buf *out)
{
    static const struct problem unknown = {.code = PROBLEM_VALUE, .message = "invalid request"};
    const struct problem *first = problems->count ? problems->list : &unknown;

    (void)dc_buf_text(out, "\"error\":\"Invalid payload\",\"code\":");
    (void)print_text(out, problem_code_name(first->code));
    (void)dc_buf_text(out, ",\"message\":");
    if (*first->path) {
        char line[sizeof(first->path) + sizeof(first->message) + 4];

        (void)snprintf(line, sizeof(line), "%s: %s", first->path, first->message);
        (void)print_text(out, line);
    } else {
        (void)print_text(out, first->message);
    }
    (void)dc_buf_text(out, ",\"issues\":");
    print_issues(problems, out);
    (void)dc_buf_text(out, ",\"details\":");
    print_details(problems, out);
    return !out->failed;
}
