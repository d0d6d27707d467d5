/* The job: read inside the sealed run and by the collector. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/job.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned sink; /* so that the reading is not optimised away */

static unsigned sum(const char *bytes, size_t length)
{
    unsigned result = 0;

    for (size_t i = 0; i < length; i++)
        result += (unsigned char)bytes[i]; /* touches each byte: the sanitizer sees a wrong bound */
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct job_record record;
    struct job_file file;
    struct dc_err err;
    size_t at = 0;
    unsigned total = 0;

    while (job_next((const char *)data, size, &at, &record, &err) > 0) {
        assert(at <= size);
        total += sum(record.bytes, record.length);
        if (record.kind != JOB_FILE || job_file_split(&record, &file, &err) < 0)
            continue;
        total += sum(file.path, file.path_length) + sum(file.content, file.content_length);
        (void)job_path_valid(file.path, file.path_length);
    }
    sink = total;
    return 0;
}
