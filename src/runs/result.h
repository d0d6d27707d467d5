/*
 * How a run went, and that as JSON. Server and CLI.
 */
#ifndef DOCLE_RUNS_RESULT_H
#define DOCLE_RUNS_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/uuid.h"
#include "proto/launch.h"
#include "runs/artifacts.h"
#include "runs/output.h"
#include "runs/request.h"

enum run_outcome {
    OUTCOME_OK,
    OUTCOME_ERROR,
    OUTCOME_SIGNAL,
    OUTCOME_TIMEOUT,
    OUTCOME_MEMORY_LIMIT,
    OUTCOME_PROCESS_LIMIT,
    OUTCOME_INSTALL_FAILED,
    OUTCOME_CANCELLED,
    OUTCOME_SANDBOX_ERROR,
    OUTCOMES
};

/* Entries of `limits`. */
enum run_limit_flags {
    RUN_LIMIT_OUTPUT = 1u << 0,
    RUN_LIMIT_DISK = 1u << 1,
    RUN_LIMIT_PROCESSES = 1u << 2,
    RUN_LIMIT_CPU = 1u << 3,
    RUN_LIMIT_MEMORY = 1u << 4,
    RUN_LIMIT_WALL = 1u << 5,
};

struct run_result {
    char id[DC_UUID_SIZE];
    int64_t created_ns; /* wall clock, when the request was accepted */
    enum run_lang lang;
    enum run_outcome outcome;
    int exit_code;
    int signal;      /* 0: none */
    uint32_t limits; /* enum run_limit_flags */
    uint64_t cpu_ns;
    uint64_t egress_bytes; /* to and from the network; metered, not shown with the result */
    uint64_t peak_bytes;
    uint64_t wall_ns;   /* of user code */
    uint64_t queued_ns; /* waited for a slot */
    int64_t started_ns; /* wall clock, when it was given a slot; 0: never */
    int64_t install_ns; /* until its packages were there */
    bool warm;
    bool truncated[OUTPUT_STREAMS];
    struct run_policy policy;
    char message[200]; /* why it was stopped and what to do; empty for ok, error */
    struct dc_buf streams[OUTPUT_STREAMS]; /* kept output, with the texts of the product added */
    struct dc_buf members; /* further members of the answer, without braces: runtime, files */
};

void run_result_init(struct run_result *result);
void run_result_release(struct run_result *result);

static inline void run_result_release_auto(struct run_result *result)
{
    run_result_release(result);
}

/* What result_judge needs to know besides the launcher's word. */
struct result_evidence {
    const struct launch_ended *ended;
    const char *stderr_tail; /* of the raw output */
    size_t stderr_tail_length;
    bool truncated[OUTPUT_STREAMS];
};

/* Sets outcome, exit_code, signal, limits, usage and message from the evidence. result->lang and
 * ->policy are set before. Pure. */
void run_result_judge(struct run_result *result, const struct result_evidence *evidence);

const char *run_outcome_name(enum run_outcome outcome);
bool run_outcome_from_name(const char *name, enum run_outcome *ret_outcome);

/* Puts the product's own words before standard error, for clients that know only the original's
 * fields: "SandboxError: …" when the product stopped the run. Call once, after run_result_judge. */
bool run_result_explain(struct run_result *result);

/* As answered and billed: units begun count whole. */
uint64_t run_result_cpu_ms(const struct run_result *result);
uint64_t run_result_mem_mb(const struct run_result *result);
uint64_t run_result_duration_ms(const struct run_result *result);

/* Appends the answer of POST /api/run as one JSON object. out needs run_result_print_max bytes. */
bool run_result_print(const struct run_result *result, struct dc_buf *out);
size_t run_result_print_max(const struct run_result *result);

/* As kept in the history, and back; so that an answer read later is the same bytes. */
bool run_result_print_limits(uint32_t limits, struct dc_buf *out); /* ["output", …] */
uint32_t run_result_parse_limits(const char *json);
bool run_policy_print(const struct run_policy *policy, struct dc_buf *out);
void run_policy_parse(const char *json, struct run_policy *ret_policy);

#endif
