/* The body of POST /api/run: parsed, checked, printed for the history, made into a job. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"
#include "proto/job.h"
#include "runs/request.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a request that was taken must be, whatever was sent. */
static void check_good(const struct run_request *request)
{
    bool entry = false;

    assert(request->file_count >= 1 && request->file_count <= DC_FILES_MAX);
    for (size_t i = 0; i < request->file_count; i++) {
        const struct run_text *path = &request->files[i].path;

        assert(job_path_valid(path->bytes, path->length));
        assert(dc_utf8_valid(path->bytes, path->length));
        assert(path->bytes[path->length] == '\0');
        entry |= strcmp(path->bytes, request->entrypoint) == 0;
    }
    assert(entry);
    for (int i = 0; i < POLICY_FIELDS; i++) {
        struct policy_range range =
            policy_range((enum policy_field)i, request->policy.value[POLICY_MEMORY_MB]);

        assert(request->policy.value[i] <= range.high);
        assert(request->policy.value[i] >= range.low || i == POLICY_CPU_MS);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct run_limits limits;
    DC_AUTO(run_request_release) struct run_request request;
    DC_AUTO(problems_release) struct problems problems;
    DC_AUTO(dc_buf_release) struct dc_buf out;
    struct dc_err err;

    run_request_init(&request);
    problems_init(&problems);
    dc_buf_init(&out, 256 << 20);
    if (run_request_parse(&request, (const char *)data, size, &limits, &problems, &err) == 0) {
        check_good(&request);
        assert(run_request_print(&request, &out));
    } else {
        assert(problems.total);
        assert(problems_print(&problems, &out));
    }
    assert(dc_utf8_valid(dc_buf_str(&out), out.length));
    return 0;
}
