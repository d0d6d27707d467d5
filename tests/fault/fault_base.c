#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/io.h"

static int no_room(const struct dc_buf *buf, struct dc_err *err)
{
    return buf->failed ? dc_fail(err, DC_KERNEL, ENOMEM, "buffer") : 0;
}

/* A failed append leaves what was there; the failure sticks. */
static int grow_a_buffer(struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf buf;

    dc_buf_init(&buf, 1 << 20);
    for (int i = 0; i < 4000; i++) {
        size_t before = buf.length;

        if (!dc_buf_printf(&buf, "line %d\n", i) &&
            (!buf.failed || buf.length != before || strlen(dc_buf_str(&buf)) != before))
            return dc_fail(err, DC_BUG, 0, "a failed append changed the buffer");
    }
    (void)dc_buf_json_string(&buf, "a\xff\"\n", 4);
    (void)dc_base64_encode(&buf, "docle", 5);
    return no_room(&buf, err);
}

static bool fill(struct dc_arena *arena)
{
    for (size_t i = 1; i < 200; i++) {
        if (!dc_arena_copy(arena, "0123456789", i % 11) || !dc_arena_alloc(arena, i * 97))
            return false;
    }
    return true;
}

static int fill_an_arena(struct dc_err *err)
{
    struct dc_arena arena = {0};
    bool filled = fill(&arena);

    dc_arena_release(&arena);
    return filled ? 0 : dc_fail(err, DC_KERNEL, ENOMEM, "arena");
}

static int write_and_read_a_file(struct dc_err *err)
{
    static const char text[] = "some text that is longer than one byte\n";
    char name[] = "/tmp/docle-fault-XXXXXX";
    char got[sizeof(text)];
    int fd = mkstemp(name);
    int result;

    if (fd < 0)
        return dc_fail_errno(err, "mkstemp");
    result = dc_write_all(fd, text, sizeof(text) - 1, err);
    (void)close(fd);
    if (result == 0)
        result = dc_read_file_at(AT_FDCWD, name, got, sizeof(got), err);
    (void)unlink(name);
    if (result == 0 && strcmp(got, text) != 0)
        return dc_fail(err, DC_BUG, 0, "read '%s'", got);
    return result;
}

int main(void)
{
    static const struct fault_scenario scenarios[] = {
        {"grow a buffer", grow_a_buffer, NULL, FAULT_BIT(FAULT_MEMORY)},
        {"fill an arena", fill_an_arena, NULL, FAULT_BIT(FAULT_MEMORY)},
        {"write and read a file", write_and_read_a_file, NULL,
         FAULT_BIT(FAULT_SYSTEM) | FAULT_SOFT},
    };

    return fault_main(scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
