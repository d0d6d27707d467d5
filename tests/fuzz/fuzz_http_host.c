/* A run's first bytes on port 80. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "egress/host_rule.h"
#include "egress/http_host.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[DC_HOST_NAME_MAX_BYTES + 1];
    char again[DC_HOST_NAME_MAX_BYTES + 1];
    enum peek_result whole = http_host_name(data, size, name);

    assert(whole != PEEK_FOUND || host_name_valid(name));
    /* However it arrives, what was said once stays said. */
    for (size_t length = 0; length < size && length < 600; length++) {
        enum peek_result part = http_host_name(data, length, again);

        assert(part == PEEK_MORE || part == whole);
        assert(part != PEEK_FOUND || strcmp(name, again) == 0);
    }
    return 0;
}
