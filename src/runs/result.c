#include "runs/result.h"

#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#include "base/poison.h"

static const char *const outcome_names[OUTCOMES] = {
    [OUTCOME_OK] = "ok",
    [OUTCOME_ERROR] = "error",
    [OUTCOME_SIGNAL] = "signal",
    [OUTCOME_TIMEOUT] = "timeout",
    [OUTCOME_MEMORY_LIMIT] = "memory_limit",
    [OUTCOME_PROCESS_LIMIT] = "process_limit",
    [OUTCOME_INSTALL_FAILED] = "install_failed",
    [OUTCOME_CANCELLED] = "cancelled",
    [OUTCOME_SANDBOX_ERROR] = "sandbox_error",
};

/* By bit of enum run_limit_flags. */
static const char *const limit_names[] = {"output", "disk", "processes", "cpu", "memory", "wall"};

enum { LIMIT_NAMES = sizeof(limit_names) / sizeof(limit_names[0]) };

void run_result_init(struct run_result *result)
{
    *result = (struct run_result){0};
    for (size_t i = 0; i < OUTPUT_STREAMS; i++)
        dc_buf_init(&result->streams[i], DC_OUTPUT_MAX_BYTES + 4096);
    dc_buf_init(&result->members, SIZE_MAX / 4);
}

void run_result_release(struct run_result *result)
{
    if (!result)
        return;
    for (size_t i = 0; i < OUTPUT_STREAMS; i++)
        dc_buf_release(&result->streams[i]);
    dc_buf_release(&result->members);
}

const char *run_outcome_name(enum run_outcome outcome)
{
    return outcome_names[outcome];
}

bool run_outcome_from_name(const char *name, enum run_outcome *ret_outcome)
{
    for (int i = 0; i < OUTCOMES; i++) {
        if (strcmp(name, outcome_names[i]) == 0) {
            *ret_outcome = (enum run_outcome)i;
            return true;
        }
    }
    return false;
}

static bool mentions(const char *text, size_t length, const char *words)
{
    return memmem(text, length, words, strlen(words)) != NULL;
}

/* V8 ends the process itself when its heap is full: SIGABRT, or a trap instruction in some
 * versions. The message is the only sign. */
static bool died_of_heap(const struct run_result *result, const struct result_evidence *evidence)
{
    int status = evidence->ended->status;
    int signal_number = evidence->ended->kind == END_SIGNALLED ? status : status - 128;

    return result->lang == RUN_NODE &&
           (signal_number == SIGABRT || signal_number == SIGTRAP || signal_number == SIGILL) &&
           (mentions(evidence->stderr_tail, evidence->stderr_tail_length,
                     "JavaScript heap out of memory") ||
            mentions(evidence->stderr_tail, evidence->stderr_tail_length, "process out of memory"));
}

static void set(struct run_result *result, enum run_outcome outcome, int exit_code)
{
    result->outcome = outcome;
    result->exit_code = exit_code;
}

static void judge_memory(struct run_result *result)
{
    set(result, OUTCOME_MEMORY_LIMIT, 137);
    result->limits |= RUN_LIMIT_MEMORY;
    (void)snprintf(result->message, sizeof(result->message),
                   "the program used more than its %u MB of memory; raise policy.memoryMB or use "
                   "less",
                   result->policy.value[POLICY_MEMORY_MB]);
}

static void judge_timeout(struct run_result *result, bool cpu)
{
    set(result, OUTCOME_TIMEOUT, 124);
    result->limits |= cpu ? RUN_LIMIT_CPU : RUN_LIMIT_WALL;
    (void)snprintf(result->message, sizeof(result->message),
                   "the program did not end within %u ms%s and was stopped; raise policy.%s or do "
                   "less",
                   result->policy.value[cpu ? POLICY_CPU_MS : POLICY_TIMEOUT_MS],
                   cpu ? " of CPU time" : "",
                   policy_field_name(cpu ? POLICY_CPU_MS : POLICY_TIMEOUT_MS));
}

static void judge_exit(struct run_result *result, const struct launch_ended *ended)
{
    set(result, ended->status == 0 ? OUTCOME_OK : OUTCOME_ERROR, ended->status);
    if (ended->status == 0 || !(ended->hits & HIT_PROCESSES))
        return;
    result->outcome = OUTCOME_PROCESS_LIMIT;
    (void)snprintf(result->message, sizeof(result->message),
                   "the program failed after it had reached its limit of %u processes and "
                   "threads; raise policy.maxProcesses or start fewer",
                   result->policy.value[POLICY_PROCESSES]);
}

static void judge_signal(struct run_result *result, int signal_number)
{
    const char *name = sigabbrev_np(signal_number);

    set(result, OUTCOME_SIGNAL, 128 + signal_number);
    result->signal = signal_number;
    (void)snprintf(result->message, sizeof(result->message),
                   "the program was ended by signal %d (SIG%s)", signal_number, name ? name : "?");
}

static void judge_end(struct run_result *result, const struct launch_ended *ended)
{
    switch ((enum launch_end_kind)ended->kind) {
    case END_EXITED:
        judge_exit(result, ended);
        return;
    case END_SIGNALLED:
        judge_signal(result, ended->status);
        return;
    case END_TIMEOUT:
    case END_CPU:
        judge_timeout(result, ended->kind == END_CPU);
        return;
    case END_MEMORY:
        judge_memory(result);
        return;
    case END_CANCELLED:
        set(result, OUTCOME_CANCELLED, 130);
        (void)snprintf(result->message, sizeof(result->message), "the run was cancelled");
        return;
    case END_SANDBOX_ERROR:
        break;
    }
    set(result, OUTCOME_SANDBOX_ERROR, -1);
    (void)snprintf(result->message, sizeof(result->message),
                   "the server could not run the program; this is not its fault, it is not "
                   "billed, try again");
}

void run_result_judge(struct run_result *result, const struct result_evidence *evidence)
{
    const struct launch_ended *ended = evidence->ended;

    result->cpu_ns = ended->cpu_ns;
    result->peak_bytes = ended->peak_bytes;
    result->wall_ns = ended->wall_ns;
    result->limits = (ended->hits & HIT_MEMORY ? RUN_LIMIT_MEMORY : 0u) |
                     (ended->hits & HIT_PROCESSES ? RUN_LIMIT_PROCESSES : 0u) |
                     (ended->hits & HIT_DISK ? RUN_LIMIT_DISK : 0u);
    for (size_t i = 0; i < OUTPUT_STREAMS; i++) {
        result->truncated[i] = evidence->truncated[i];
        result->limits |= evidence->truncated[i] ? RUN_LIMIT_OUTPUT : 0u;
    }
    if ((ended->kind == END_EXITED || ended->kind == END_SIGNALLED) &&
        died_of_heap(result, evidence))
        judge_memory(result);
    else
        judge_end(result, ended);
}

bool run_result_explain(struct run_result *result)
{
    DC_AUTO(dc_buf_release) struct dc_buf text;
    struct dc_buf *old = &result->streams[OUTPUT_STDERR];
    struct dc_buf swap;

    dc_buf_init(&text, old->length + sizeof(result->message) + 32);
    if (result->outcome != OUTCOME_TIMEOUT && result->outcome != OUTCOME_MEMORY_LIMIT &&
        result->outcome != OUTCOME_SANDBOX_ERROR && result->outcome != OUTCOME_CANCELLED)
        return true;
    (void)dc_buf_printf(&text, "SandboxError: %s\n", result->message);
    (void)dc_buf_append(&text, dc_buf_str(old), old->length);
    if (text.failed)
        return false;
    swap = *old;
    *old = text;
    text = swap;
    return true;
}

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    return value / unit + (value % unit != 0);
}

uint64_t run_result_cpu_ms(const struct run_result *result)
{
    return round_up(result->cpu_ns, (uint64_t)DC_NS_PER_MS);
}

uint64_t run_result_mem_mb(const struct run_result *result)
{
    return round_up(result->peak_bytes, 1024 * 1024);
}

uint64_t run_result_duration_ms(const struct run_result *result)
{
    return round_up(result->wall_ns, (uint64_t)DC_NS_PER_MS);
}

static void print_stream(struct dc_buf *out, const char *key, const struct dc_buf *stream)
{
    (void)dc_buf_printf(out, ",\"%s\":", key);
    (void)dc_buf_json_string(out, dc_buf_str(stream), stream->length);
}

static void print_clamped(struct dc_buf *out, const struct run_policy *policy)
{
    const char *comma = "";

    (void)dc_buf_text(out, ",\"limits_applied\":{");
    for (int i = 0; i < POLICY_FIELDS; i++) {
        uint32_t value = policy->value[i];

        if (!(policy->clamped & 1u << i))
            continue;
        (void)dc_buf_printf(out, "%s\"%s\":", comma, policy_field_name((enum policy_field)i));
        if (i == POLICY_CPUS_CENTI)
            (void)dc_buf_printf(out, "%u.%02u", value / 100, value % 100);
        else
            (void)dc_buf_printf(out, "%u", value);
        comma = ",";
    }
    (void)dc_buf_byte(out, '}');
}

bool run_result_print(const struct run_result *result, struct dc_buf *out)
{
    char created[25];

    dc_format_iso8601(result->created_ns, created);
    (void)dc_buf_printf(out, "{\"id\":\"%s\",\"ok\":%s,\"exitCode\":%d", result->id,
                        result->exit_code == 0 ? "true" : "false", result->exit_code);
    print_stream(out, "stdout", &result->streams[OUTPUT_STDOUT]);
    print_stream(out, "stderr", &result->streams[OUTPUT_STDERR]);
    (void)dc_buf_printf(out,
                        ",\"usage\":{\"cpuMs\":%" PRIu64 ",\"memMB\":%" PRIu64
                        ",\"durationMs\":%" PRIu64 "},\"createdAt\":\"%s\",\"outcome\":\"%s\"",
                        run_result_cpu_ms(result), run_result_mem_mb(result),
                        run_result_duration_ms(result), created, run_outcome_name(result->outcome));
    if (result->signal) {
        const char *name = sigabbrev_np(result->signal);

        (void)dc_buf_printf(out, ",\"signal\":\"SIG%s\"", name ? name : "?");
    }
    if (*result->message)
        print_stream(out, "message",
                     &(struct dc_buf){.data = (char *)(uintptr_t)result->message,
                                      .length = strlen(result->message)});
    (void)dc_buf_printf(out, ",\"lang\":\"%s\"", run_lang_name(result->lang));
    (void)dc_buf_printf(out, ",\"truncated\":{\"stdout\":%s,\"stderr\":%s},\"limits\":",
                        result->truncated[OUTPUT_STDOUT] ? "true" : "false",
                        result->truncated[OUTPUT_STDERR] ? "true" : "false");
    (void)run_result_print_limits(result->limits, out);
    if (result->policy.clamped)
        print_clamped(out, &result->policy);
    if (result->members.length) {
        (void)dc_buf_byte(out, ',');
        (void)dc_buf_append(out, dc_buf_str(&result->members), result->members.length);
    }
    (void)dc_buf_byte(out, '}');
    return !out->failed;
}

size_t run_result_print_max(const struct run_result *result)
{
    /* A byte of output takes at most six: \u00XX. */
    return 2048 + result->members.length +
           6 * (result->streams[OUTPUT_STDOUT].length + result->streams[OUTPUT_STDERR].length);
}

bool run_result_print_limits(uint32_t limits, struct dc_buf *out)
{
    const char *comma = "";

    (void)dc_buf_byte(out, '[');
    for (size_t i = 0; i < LIMIT_NAMES; i++) {
        if (!(limits & 1u << i))
            continue;
        (void)dc_buf_printf(out, "%s\"%s\"", comma, limit_names[i]);
        comma = ",";
    }
    (void)dc_buf_byte(out, ']');
    return !out->failed;
}

uint32_t run_result_parse_limits(const char *json)
{
    json_t *tree = json ? json_loads(json, 0, NULL) : NULL;
    uint32_t limits = 0;

    for (size_t i = 0; i < json_array_size(tree); i++) {
        const char *name = json_string_value(json_array_get(tree, i));

        for (size_t k = 0; name && k < LIMIT_NAMES; k++)
            if (strcmp(name, limit_names[k]) == 0)
                limits |= 1u << k;
    }
    json_decref(tree);
    return limits;
}

bool run_policy_print(const struct run_policy *policy, struct dc_buf *out)
{
    const char *comma = "";

    (void)dc_buf_byte(out, '{');
    for (int i = 0; i < POLICY_FIELDS; i++) {
        uint32_t value = policy->value[i];

        if (i == POLICY_CPUS_CENTI)
            (void)dc_buf_printf(out, ",\"cpus\":%u.%02u", value / 100, value % 100);
        else if (i != POLICY_CPU_MS || value)
            (void)dc_buf_printf(out, "%s\"%s\":%u", i ? "," : "",
                                policy_field_name((enum policy_field)i), value);
    }
    (void)dc_buf_text(out, ",\"clamped\":[");
    for (int i = 0; i < POLICY_FIELDS; i++) {
        if (!(policy->clamped & 1u << i))
            continue;
        (void)dc_buf_printf(out, "%s\"%s\"", comma, policy_field_name((enum policy_field)i));
        comma = ",";
    }
    (void)dc_buf_text(out, "]}");
    return !out->failed;
}

void run_policy_parse(const char *json, struct run_policy *ret_policy)
{
    json_t *tree = json ? json_loads(json, 0, NULL) : NULL;
    const json_t *clamped = json_object_get(tree, "clamped");

    *ret_policy = (struct run_policy){0};
    for (int i = 0; i < POLICY_FIELDS; i++) {
        const char *name = policy_field_name((enum policy_field)i);
        double value = json_number_value(json_object_get(tree, name));

        if (i == POLICY_CPUS_CENTI)
            value = value * 100 + 0.5;
        if (value > 0 && value < UINT32_MAX)
            ret_policy->value[i] = (uint32_t)value;
        for (size_t k = 0; k < json_array_size(clamped); k++) {
            const char *entry = json_string_value(json_array_get(clamped, k));

            if (entry && strcmp(entry, name) == 0)
                ret_policy->clamped |= 1u << i;
        }
    }
    json_decref(tree);
}
