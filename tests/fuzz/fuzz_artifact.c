/* The artifact stream, which a hostile file system has shaped. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "proto/job.h"
#include "runs/artifacts.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct artifacts artifacts;
    DC_AUTO(dc_buf_release) struct dc_buf out;
    size_t bytes = 0;

    artifacts_parse((const char *)data, size, NULL, 0, &artifacts);
    assert(artifacts.count <= DC_ARTIFACTS_MAX);
    for (size_t i = 0; i < artifacts.count; i++) {
        assert(job_path_valid(artifacts.list[i].path, artifacts.list[i].path_length));
        bytes += artifacts.list[i].content_length;
    }
    assert(bytes <= DC_ARTIFACTS_MAX_BYTES && bytes <= size);
    dc_buf_init(&out, 64 << 20);
    assert(artifacts_print(&artifacts, &out));
    assert(dc_utf8_valid(dc_buf_str(&out), out.length));
    return 0;
}
