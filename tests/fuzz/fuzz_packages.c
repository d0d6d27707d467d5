/* Package specifications and manifests: the first byte says which. What is taken must be in normal
 * form and unable to be anything but a name for an installer. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "packages/wish.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_spec(enum package_kind kind, const char *normal)
{
    DC_AUTO(dc_buf_release) struct dc_buf again;
    struct dc_err err;
    const char *hash = kind == PACKAGE_PIP ? strstr(normal, " --hash=") : NULL;
    size_t length = hash ? (size_t)(hash - normal) : strlen(normal);

    dc_buf_init(&again, 4 * PACKAGE_SPEC_MAX_BYTES);
    assert(normal[0] && normal[0] != '-' && normal[0] != '.' && normal[0] != '/');
    for (const char *at = normal; *at; at++)
        assert(*at >= 0x20 && *at < 0x7f);
    assert(!strstr(normal, "://"));
    assert(package_spec_name_length(kind, normal) > 0);
    if (length <= PACKAGE_SPEC_MAX_BYTES) {
        assert(package_spec_normalise(kind, normal, length, &again, &err) == 0);
        assert(again.length == length && memcmp(dc_buf_str(&again), normal, length) == 0);
    }
}

static void try_spec(enum package_kind kind, const char *text, size_t length)
{
    DC_AUTO(package_wish_release) struct package_wish wish;
    struct dc_err err;

    package_wish_init(&wish, kind);
    if (package_wish_add(&wish, text, length, &err) == 0)
        check_spec(kind, wish.specs[0]);
    else
        assert(err.code == DC_INVALID);
}

static void try_manifest(enum package_kind kind, const char *path, const char *text, size_t length)
{
    DC_AUTO(package_wish_release) struct package_wish wish;
    DC_AUTO(run_request_release) struct run_request request;
    DC_AUTO(problems_release) struct problems problems;
    struct dc_err err;

    run_request_init(&request);
    problems_init(&problems);
    package_wish_init(&wish, kind);
    assert(run_request_add_file(&request, path, text, length, &err) == 0);
    if (package_wish_read(&wish, &request, &problems, &err) == 0) {
        for (size_t i = 0; i < wish.count; i++)
            check_spec(kind, wish.specs[i]);
    } else {
        assert(problems.total);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;

    if (!size)
        return 0;
    switch (data[0] % 5) {
    case 0:
        try_spec(PACKAGE_PIP, text, size - 1);
        break;
    case 1:
        try_spec(PACKAGE_NPM, text, size - 1);
        break;
    case 2:
        try_manifest(PACKAGE_PIP, "requirements.txt", text, size - 1);
        break;
    case 3:
        try_manifest(PACKAGE_NPM, "package.json", text, size - 1);
        break;
    default:
        try_manifest(PACKAGE_PIP, "pyproject.toml", text, size - 1);
        break;
    }
    return 0;
}
