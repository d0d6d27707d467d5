/* The stream that an install hands out, and the manifest that is made of it. */
#include <assert.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "packages/layer_store.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct layer_store *store;
static char top[256];

static void end(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        (void)execl("/bin/rm", "rm", "-rf", top, (char *)NULL);
        _exit(127);
    }
    layer_store_free(store);
    (void)waitpid(pid, NULL, 0);
}

static void begin(void)
{
    const char *parent = getenv("TMPDIR");
    char dir[sizeof(top) + 16];
    struct dc_err err;

    (void)snprintf(top, sizeof(top), "%.200s/docle-fuzz-XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(top))
        abort();
    (void)snprintf(dir, sizeof(dir), "%s/packages", top);
    if (layer_store_open(dir, &store, &err) < 0)
        abort();
    (void)atexit(end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct layer_rules rules = {.bytes_max = 1 << 20};
    DC_AUTO(layer_stage_release) struct layer_stage stage = LAYER_STAGE_NONE;
    DC_AUTO(layer_written_release) struct layer_written written = {0};
    DC_AUTO(dc_close) int fd = memfd_create("stream", MFD_CLOEXEC);
    struct dc_err err;

    if (!store)
        begin();
    if (fd < 0 || dc_write_all(fd, data, size, &err) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
        layer_stage_begin(store, &stage, &err) < 0)
        abort();
    if (layer_stream_read(fd, stage.tree_fd, &rules, &written, &err) == 0)
        assert(layer_verify(stage.tree_fd, dc_buf_str(&written.manifest), written.manifest.length,
                            &err) == 0);
    else
        assert(err.code == DC_INVALID || err.code == DC_LIMIT || err.code == DC_KERNEL);
    /* Any text may stand where a manifest should. */
    (void)!layer_verify(stage.tree_fd, (const char *)data, size, &err);
    return 0;
}
