#include "runs/engine_internal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/io.h"
#include "base/log.h"
#include "runs/job_build.h"
#include "store/hash.h"

#include "base/poison.h"

static bool version_matches(const char *have, const char *want)
{
    size_t length = strlen(want);

    return strncmp(have, want, length) == 0 && (have[length] == '\0' || have[length] == '.');
}

int engine_runtime(const struct launch_hello *hello, const struct run_request *request)
{
    for (int i = 0; i < hello->runtime_count; i++) {
        const struct launch_runtime *runtime = &hello->runtimes[i];

        if (strcmp(runtime->name, run_lang_name(request->lang)) == 0 &&
            (!request->version || version_matches(runtime->version, request->version)))
            return i;
    }
    return -1;
}

int engine_no_runtime(const struct launch_hello *hello, const struct run_request *request,
                      struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf have;

    dc_buf_init(&have, 160);
    for (int i = 0; i < hello->runtime_count; i++)
        (void)dc_buf_printf(&have, "%s%s %s", i ? ", " : "", hello->runtimes[i].name,
                            hello->runtimes[i].version);
    return dc_fail(err, DC_INVALID, 0, "no %s %s on this server; there is: %s",
                   run_lang_name(request->lang), request->version ? request->version : "",
                   have.length ? dc_buf_str(&have) : "nothing");
}

int engine_find_runtime(const struct engine *engine, const struct run_request *request,
                        const struct launch_runtime **ret_runtime, struct dc_err *err)
{
    const struct launch_hello *hello = launcher_client_hello(engine->launcher);
    int index = hello ? engine_runtime(hello, request) : -1;

    if (!hello)
        return dc_fail(err, DC_BUSY, 0, "the server is starting; try again in a moment");
    if (index < 0)
        return engine_no_runtime(hello, request, err);
    *ret_runtime = &hello->runtimes[index];
    return 0;
}

void engine_send_warm(struct engine *engine, size_t set)
{
    struct dc_err err;

    if (engine->warm[set].names_fd > 0 &&
        launcher_client_warm(engine->launcher, &engine->warm[set].wish, engine->warm[set].names_fd,
                             &err) < 0 &&
        err.code != DC_BUSY) /* then it is sent once the launcher is ready */
        dc_log_err(DC_LOG_WARN, NULL, &err, "packages are not kept imported");
}

/* Takes fd. */
static void keep_warm(struct engine *engine, const struct launch_warm *wish, int fd)
{
    if (engine->warm[wish->set].names_fd > 0)
        dc_close(engine->warm[wish->set].names_fd);
    engine->warm[wish->set].names_fd = fd;
    engine->warm[wish->set].wish = *wish;
    engine_send_warm(engine, wish->set);
}

int engine_warm(struct engine *engine, uint32_t set, const struct run_request *request,
                const uint8_t layer[static DC_LAYER_ID_BYTES], const char *names,
                struct dc_err *err)
{
    const struct launch_hello *hello = launcher_client_hello(engine->launcher);
    int runtime = hello ? engine_runtime(hello, request) : -1;
    struct launch_warm wish;
    DC_AUTO(dc_close) int fd = memfd_create("packages", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (runtime < 0 || set >= DC_WARM_MAX)
        return dc_fail(err, DC_INVALID, 0, "no runtime for a set of packages");
    if (fd < 0)
        return dc_fail_errno(err, "memfd_create");
    if (dc_write_all(fd, names, strlen(names), err) < 0)
        return -err->code;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
        return dc_fail_errno(err, "seal the names of packages");
    wish = (struct launch_warm){.set = set, .runtime = (uint32_t)runtime};
    memcpy(wish.layer, layer, DC_LAYER_ID_BYTES);
    keep_warm(engine, &wish, dc_take_fd(&fd));
    return 0;
}

void engine_owner(const char *project, uint8_t ret_owner[static DC_OWNER_BYTES])
{
    uint8_t hash[STORE_HASH_BYTES];

    store_sha256(project, strlen(project), hash);
    memcpy(ret_owner, hash, DC_OWNER_BYTES);
}

int engine_prepare(struct engine *engine, uint32_t place, const struct run_request *request,
                   const char *project, struct dc_err *err)
{
    const struct launch_hello *hello = launcher_client_hello(engine->launcher);
    int runtime = hello ? engine_runtime(hello, request) : -1;
    struct launch_warm wish = {.set = DC_WARM_MAX + place,
                               .disk_mb = request->policy.value[POLICY_DISK_MB]};
    int fd;

    if (runtime < 0 || place >= DC_PREPARED_MAX)
        return dc_fail(err, DC_INVALID, 0, "no runtime for a set of packages");
    if (job_build(request, &fd, err) < 0)
        return -err->code;
    wish.runtime = (uint32_t)runtime;
    memcpy(wish.layer, request->layer, sizeof(wish.layer));
    engine_owner(project, wish.owner);
    keep_warm(engine, &wish, fd);
    return 0;
}
