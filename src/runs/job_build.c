#include "runs/job_build.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "proto/job.h"

#include "base/poison.h"

/* Above the largest request: files, arguments, environment and the heads of all records. */
enum { JOB_MAX_BYTES = DC_BODY_MAX_BYTES + 4 * 1024 * 1024 };

static const char *const environment[] = {
    "HOME=/tmp",      "LANG=C.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin",
    "PWD=/workspace", "TERM=dumb",    "TMPDIR=/tmp",
    "USER=docle",
};

static bool same_name(const struct run_text *variable, const char *other)
{
    size_t name = strcspn(other, "=") + 1;

    return variable->length >= name && memcmp(variable->bytes, other, name) == 0;
}

static bool overridden(const struct run_request *request, const char *variable)
{
    for (size_t i = 0; i < request->env_count; i++)
        if (same_name(&request->env[i], variable))
            return true;
    return false;
}

/* npm's programs; pip's are found by the bootstrap, which knows its interpreter's place. */
static const char node_path[] = "PATH=/node_modules/.bin:/usr/local/bin:/usr/bin:/bin";

static void put_environment(const struct run_request *request, struct dc_buf *job)
{
    bool programs = request->lang == RUN_NODE && run_request_has_layer(request);

    for (size_t i = 0; i < sizeof(environment) / sizeof(environment[0]); i++)
        if (!overridden(request, environment[i])) {
            bool path = programs && strncmp(environment[i], node_path, 5) == 0;
            const char *variable = path ? node_path : environment[i];

            (void)job_put(job, JOB_ENV, variable, strlen(variable));
        }
    for (size_t i = 0; i < request->env_count; i++)
        (void)job_put(job, JOB_ENV, request->env[i].bytes, request->env[i].length);
}

int job_build(const struct run_request *request, int *ret_fd, struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf job;
    uint32_t flags = (request->stream ? JOB_LIVE_OUTPUT : 0) |
                     (run_request_has_layer(request) ? JOB_PACKAGES : 0);

    dc_buf_init(&job, JOB_MAX_BYTES);
    (void)job_put(&job, JOB_ENTRYPOINT, request->entrypoint, strlen(request->entrypoint));
    (void)job_put(&job, JOB_FLAGS, &flags, sizeof(flags));
    for (size_t i = 0; i < request->arg_count; i++)
        (void)job_put(&job, JOB_ARG, request->args[i].bytes, request->args[i].length);
    put_environment(request, &job);
    for (size_t i = 0; i < request->artifact_count; i++)
        (void)job_put(&job, JOB_ARTIFACT, request->artifacts[i].bytes,
                      request->artifacts[i].length);
    for (size_t i = 0; i < request->file_count; i++)
        (void)job_put_file(&job, request->files[i].path.bytes, request->files[i].content.bytes,
                           request->files[i].content.length);
    (void)job_put(&job, JOB_END, NULL, 0);
    if (job.failed)
        return dc_fail(err, DC_KERNEL, ENOMEM, "job of %zu bytes or more", job.length);
    return job_seal(&job, ret_fd, err);
}

int job_stdin(const struct run_request *request, int *ret_fd, struct dc_err *err)
{
    const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
    DC_AUTO(dc_close) int fd = -1;

    if (!request->stdin_bytes.length) {
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return dc_fail_errno(err, "open /dev/null");
        *ret_fd = dc_take_fd(&fd);
        return 0;
    }
    fd = memfd_create("stdin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return dc_fail_errno(err, "memfd_create");
    if (dc_write_all(fd, request->stdin_bytes.bytes, request->stdin_bytes.length, err) < 0)
        return dc_context(err, "standard input");
    if (fcntl(fd, F_ADD_SEALS, seals) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return dc_fail_errno(err, "seal standard input");
    *ret_fd = dc_take_fd(&fd);
    return 0;
}

/* What the run's namespace must offer for its policy. */
static void fill_network(const struct host_policy *policy, struct launch_network *network)
{
    size_t count = 0;

    (void)host_policy_ports(policy, network->ports, DC_NET_PORTS_MAX, &count); /* checked before */
    network->port_count = (uint16_t)count;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct egress_rule *rule = &policy->rules[i];
        uint32_t address;

        if (rule->kind == EGRESS_RULE_ADDRESS && network->address_count < DC_NET_ADDRESSES_MAX &&
            address_parse_v4(rule->name, strlen(rule->name), &address))
            network->addresses[network->address_count++] = address;
    }
}

void job_launch_fields(const struct run_request *request, struct launch_run *ret_run)
{
    const uint32_t *value = request->policy.value;

    *ret_run = (struct launch_run){
        .flags = request->artifact_count ? RUN_WANTS_ARTIFACTS : 0,
        .timeout_ms = value[POLICY_TIMEOUT_MS],
        .cpu_ms = value[POLICY_CPU_MS],
        .memory_mb = value[POLICY_MEMORY_MB],
        .disk_mb = value[POLICY_DISK_MB],
        .processes = value[POLICY_PROCESSES],
        .cpus_centi = value[POLICY_CPUS_CENTI],
    };
    memcpy(ret_run->layer, request->layer, sizeof(ret_run->layer));
    if (!request->network)
        return;
    ret_run->flags |= RUN_HAS_NETWORK;
    fill_network(request->network, &ret_run->network);
}
