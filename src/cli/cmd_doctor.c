/* docle doctor: what this host gives, what is missing, and how to mend it. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/doctor.h"
#include "cli/launch.h"
#include "packages/source.h"
#include "sandbox/probe.h"

#include "base/poison.h"

struct doctor {
    const struct config *config;
    bool json;
    struct probe_report host;
    struct probe_line extra[PROBE_LINES_MAX];
    size_t extra_count;
    enum probe_level floor;
    enum probe_level level;
    bool serves; /* a launcher started and said HELLO */
    bool relay_fails;
};

static struct probe_line *add_extra(struct doctor *doctor, const char *name, enum probe_state state)
{
    struct probe_line *line = &doctor->extra[doctor->extra_count];

    if (doctor->extra_count + 1 < PROBE_LINES_MAX)
        doctor->extra_count++;
    *line = (struct probe_line){.name = name, .state = state};
    return line;
}

static void look_at_root(struct doctor *doctor)
{
    enum sealed_root_state state;
    char why[128];
    struct dc_err err;
    struct probe_line *line = add_extra(doctor, "sealed root", PROBE_OK);

    if (sealed_root_check(doctor->config, &state, why, sizeof(why), &err) < 0) {
        line->state = PROBE_MISSING;
        (void)snprintf(line->found, sizeof(line->found), "%.170s", err.text);
        (void)snprintf(line->remedy, sizeof(line->remedy), "make build, or install docle whole");
        return;
    }
    if (state == SEALED_ROOT_CURRENT) {
        (void)snprintf(line->found, sizeof(line->found), "current, in %.140s",
                       config_text(doctor->config, CONFIG_ROOT_DIR));
        return;
    }
    line->state = state == SEALED_ROOT_NONE ? PROBE_MISSING : PROBE_WEAK;
    (void)snprintf(line->found, sizeof(line->found), "%s",
                   why[0] ? why : "older than the host's packages");
    (void)snprintf(line->remedy, sizeof(line->remedy), "docle runtimes refresh%s",
                   state == SEALED_ROOT_NONE ? "" : ", then restart the server");
}

static void look_at_runtimes(struct doctor *doctor, const struct launch_hello *hello)
{
    for (size_t i = 0; i < hello->runtime_count; i++) {
        const struct launch_runtime *runtime = &hello->runtimes[i];
        bool zygote = runtime->start == START_ZYGOTE;
        struct probe_line *line = add_extra(doctor, "runtime", zygote ? PROBE_OK : PROBE_WEAK);

        (void)snprintf(line->found, sizeof(line->found), "%.15s %.15s, %s", runtime->name,
                       runtime->version,
                       zygote ? "forked from a zygote" : "started plainly, which is slower");
        if (!zygote)
            (void)snprintf(line->remedy, sizeof(line->remedy),
                           "docle runtimes refresh; the server's log says why its zygote does not "
                           "serve");
    }
}

/* Only what can be read: the index may be named with a password, so the file is its owner's. */
static void look_at_packages(struct doctor *doctor)
{
    static const char *const names[PACKAGE_KINDS] = {"pip for Python", "npm for Node.js"};
    const struct package_source_options none = {0};
    DC_AUTO(package_sources_release) struct package_sources sources = {0};
    char root[SEALED_ROOT_PATH_MAX];
    struct dc_err err;

    if (config_number(doctor->config, CONFIG_PACKAGES_ENABLED) != 1 ||
        sealed_root_find(doctor->config, root, &err) < 0 ||
        package_sources_read(root, &none, &sources, &err) < 0)
        return;
    for (int kind = 0; kind < PACKAGE_KINDS; kind++) {
        bool there = sources.of[kind].available;
        struct probe_line *line = add_extra(doctor, "packages", there ? PROBE_OK : PROBE_WEAK);

        (void)snprintf(line->found, sizeof(line->found), "%s%s", names[kind],
                       there            ? ""
                       : sources.closed ? ": the sealed root is another user's"
                                        : ": none in the sealed root");
        if (sources.closed)
            (void)snprintf(line->remedy, sizeof(line->remedy),
                           "set DOCLE_ROOT_DIR to a folder of this user's, then docle runtimes "
                           "refresh; else runs that ask for packages are refused");
        else if (!there)
            (void)snprintf(line->remedy, sizeof(line->remedy),
                           "install %s, then docle runtimes refresh; else runs that ask "
                           "for packages are refused",
                           package_kind_name((enum package_kind)kind));
    }
}

/* The proof of the pudding: a launcher with these settings. */
static void look_at_launcher(struct doctor *doctor)
{
    struct launch_plan plan;
    struct launch_hello hello;
    struct dc_err err;
    char text[256];
    struct probe_line *line;

    if (launch_plan(doctor->config, LAUNCH_LOOK, &plan, &err) < 0 ||
        launch_probe(&plan, &hello, &err) < 0) {
        line = add_extra(doctor, "launcher", PROBE_MISSING);
        (void)snprintf(line->found, sizeof(line->found), "%.175s",
                       dc_err_describe(&err, text, sizeof(text)));
        (void)snprintf(line->remedy, sizeof(line->remedy), "%s",
                       doctor->level < doctor->floor
                           ? "mend what is missing above, or lower the floor in docle.conf(5)"
                           : "mend what is missing above");
        return;
    }
    doctor->serves = true;
    doctor->level = (enum probe_level)hello.level;
    line = add_extra(doctor, "launcher", PROBE_OK);
    (void)snprintf(line->found, sizeof(line->found), "serves at level %s, cgroup v%u%s",
                   probe_level_name(doctor->level), hello.cgroup_version,
                   hello.rootless ? ", rootless" : "");
    look_at_runtimes(doctor, &hello);
}

static void look_at_limits(struct doctor *doctor)
{
    uint32_t slots = config_number(doctor->config, CONFIG_SLOTS);
    uint32_t spares = config_number(doctor->config, CONFIG_SPARES_PYTHON) +
                      config_number(doctor->config, CONFIG_SPARES_NODE);
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);
    uint64_t memory_mb = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page >> 20 : 0;
    struct rlimit files = {0};
    struct probe_line *line = add_extra(doctor, "limits", PROBE_OK);
    uint32_t shown = slots ? slots : launcher_default_slots();

    (void)getrlimit(RLIMIT_NOFILE, &files);
    (void)snprintf(line->found, sizeof(line->found),
                   "%u slots, %u spares, %llu MB memory, %llu open files", shown, spares,
                   (unsigned long long)memory_mb, (unsigned long long)files.rlim_max);
    if (files.rlim_max >= 4096)
        return;
    line->state = PROBE_WEAK;
    (void)snprintf(line->remedy, sizeof(line->remedy),
                   "ulimit -Hn 65536, or LimitNOFILE=65536 in the unit");
}

static void look_at_network(struct doctor *doctor)
{
    const char *hosts = config_text(doctor->config, CONFIG_NETWORK_DEFAULT_HOSTS);
    struct run_network_limits limits;
    struct launch_plan plan;
    struct dc_err err;
    char text[256];
    struct probe_line *line = add_extra(doctor, "network of runs", PROBE_OK);

    if (!config_number(doctor->config, CONFIG_NETWORK_ENABLED)) {
        (void)snprintf(line->found, sizeof(line->found), "off");
        return;
    }
    if (launch_network_limits(doctor->config, false, &limits, &err) == 0 &&
        launch_plan(doctor->config, LAUNCH_LOOK, &plan, &err) == 0) {
        plan.options.network = true;
        if (launch_probe_relay(&plan, &err) == 0) {
            (void)snprintf(line->found, sizeof(line->found),
                           "on, by the hosts that a run names; without names: %.60s; %zu "
                           "exceptions for private hosts",
                           hosts[0] ? hosts : "none", limits.exceptions.count);
            return;
        }
    }
    line->state = PROBE_MISSING;
    doctor->relay_fails = true;
    (void)snprintf(line->found, sizeof(line->found), "%.175s",
                   dc_err_describe(&err, text, sizeof(text)));
    (void)snprintf(line->remedy, sizeof(line->remedy),
                   "mend that, or set network.enabled to off, see docle.conf(5)");
}

static void examine(struct doctor *doctor)
{
    doctor->floor = (enum probe_level)config_number(doctor->config, CONFIG_FLOOR);
    probe_host(config_number(doctor->config, CONFIG_UID_BASE), &doctor->host);
    doctor->level = doctor->host.level;
    look_at_root(doctor);
    look_at_packages(doctor);
    look_at_launcher(doctor);
    look_at_network(doctor);
    look_at_limits(doctor);
}

static bool is_well(const struct doctor *doctor)
{
    return doctor->serves && !doctor->relay_fails && doctor->level >= doctor->floor;
}

/* before: the line above, whose remedy is not said twice; or NULL. */
static void print_line(const struct probe_line *line, const struct probe_line *before,
                       struct dc_buf *out)
{
    static const char *const marks[] = {
        [PROBE_OK] = "ok     ", [PROBE_WEAK] = "weaker ", [PROBE_MISSING] = "MISSING"};

    dc_buf_printf(out, "%s  %-27s  %s\n", marks[line->state], line->name, line->found);
    if (line->remedy[0] && before && strcmp(before->remedy, line->remedy) == 0)
        dc_buf_printf(out, "%38smend: as above\n", "");
    else if (line->remedy[0])
        dc_buf_printf(out, "%38smend: %s\n", "", line->remedy);
}

static void print_line_json(const struct probe_line *line, bool first, struct dc_buf *out)
{
    static const char *const states[] = {
        [PROBE_OK] = "ok", [PROBE_WEAK] = "weaker", [PROBE_MISSING] = "missing"};

    dc_buf_printf(out, "%s{\"name\":\"%s\",\"state\":\"%s\",\"found\":", first ? "" : ",",
                  line->name, states[line->state]);
    dc_buf_json_string(out, line->found, strlen(line->found));
    if (line->remedy[0]) {
        dc_buf_text(out, ",\"remedy\":");
        dc_buf_json_string(out, line->remedy, strlen(line->remedy));
    }
    dc_buf_byte(out, '}');
}

static const struct probe_line *nth_line(const struct doctor *doctor, size_t i)
{
    return i < doctor->host.count ? &doctor->host.lines[i] : &doctor->extra[i - doctor->host.count];
}

static void print_doctor(const struct doctor *doctor, struct dc_buf *out)
{
    size_t total = doctor->host.count + doctor->extra_count;

    if (doctor->json)
        dc_buf_printf(out, "{\"level\":\"%s\",\"floor\":\"%s\",\"ok\":%s,\"checks\":[",
                      probe_level_name(doctor->level), probe_level_name(doctor->floor),
                      is_well(doctor) ? "true" : "false");
    for (size_t i = 0; i < total; i++) {
        const struct probe_line *line = nth_line(doctor, i);

        if (doctor->json)
            print_line_json(line, i == 0, out);
        else
            print_line(line, i ? nth_line(doctor, i - 1) : NULL, out);
    }
    if (doctor->json)
        dc_buf_text(out, "]}\n");
    else
        dc_buf_printf(out, "\nIsolation level: %s. Floor: %s. %s\n",
                      probe_level_name(doctor->level), probe_level_name(doctor->floor),
                      is_well(doctor)                 ? "docle serve can start."
                      : doctor->level < doctor->floor ? "docle serve refuses to start."
                                                      : "docle serve cannot start.");
}

void doctor_explain(const struct config *config, struct dc_buf *out)
{
    struct probe_report report;

    probe_host(config_number(config, CONFIG_UID_BASE), &report);
    for (size_t i = 0; i < report.count; i++)
        if (report.lines[i].state != PROBE_OK)
            print_line(&report.lines[i], i ? &report.lines[i - 1] : NULL, out);
}

static int take_json(void *context, int option, const char *value, struct dc_err *err)
{
    struct doctor *doctor = context;

    (void)option;
    (void)value;
    (void)err;
    doctor->json = true;
    return 0;
}

static int run_doctor(struct cli_call *call, struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf out = {0};
    struct doctor doctor = {.config = &call->config};
    int result = cli_parse(call, take_json, &doctor, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    if (cli_operands(call, 0, err) < 0)
        return -err->code;
    examine(&doctor);
    dc_buf_init(&out, CLI_OUTPUT_MAX_BYTES);
    print_doctor(&doctor, &out);
    if (cli_output(&out, err) < 0)
        return -err->code;
    return is_well(&doctor) ? CLI_OK : CLI_FAILED;
}

static const struct cli_option doctor_options[] = {
    {"json", 0, NULL, "Print JSON."},
    {0},
};

const struct cli_command command_doctor = {
    .name = "doctor",
    .summary = "Say what this host gives, and how to mend what is missing.",
    .detail = "One line per capability, then the isolation level in force. Starts a launcher for a "
              "moment. Exits with 1 when docle serve would not start.",
    .options = doctor_options,
    .settings = CLI_SETTING(CONFIG_ROOT_DIR) | CLI_SETTING(CONFIG_FLOOR) |
                CLI_SETTING(CONFIG_UID_BASE) | CLI_SETTING(CONFIG_SLOTS) |
                CLI_SETTING(CONFIG_RUNTIMES_PYTHON) | CLI_SETTING(CONFIG_RUNTIMES_NODE) |
                CLI_SETTING(CONFIG_NETWORK_ENABLED) | CLI_SETTING(CONFIG_NETWORK_DEFAULT_HOSTS) |
                CLI_SETTING(CONFIG_NETWORK_PRIVATE) | CLI_SETTING(CONFIG_NETWORK_RESOLVERS),
    .run = run_doctor,
};
