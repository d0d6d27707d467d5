#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "proto/job.h"
#include "runs/request.h"
#include "runs/request_internal.h"

#include "base/poison.h"

/* A value as it stands on the wire: cpus is counted in hundredths inside. */
static const char *wire_value(enum policy_field field, uint32_t value, char out[static 16])
{
    if (field == POLICY_CPUS_CENTI)
        (void)snprintf(out, 16, "%u.%02u", value / 100, value % 100);
    else
        (void)snprintf(out, 16, "%u", value);
    return out;
}

static void out_of_range(enum policy_field field, const struct policy_range *range,
                         struct problems *problems, const char *path)
{
    char low[16];
    char high[16];

    problems_add(problems, PROBLEM_RANGE, path, "must be from %s to %s%s",
                 wire_value(field, range->low, low), wire_value(field, range->high, high),
                 field == POLICY_DISK_MB ? " (at most half of memoryMB)" : "");
}

static void check_policy_field(struct run_request *request, enum policy_field field,
                               const struct run_limits *limits, struct problems *problems)
{
    struct run_policy *policy = &request->policy;
    struct policy_range range = policy_range(field, policy->value[POLICY_MEMORY_MB]);
    const struct run_ceiling *ceiling = &limits->ceiling[field];
    bool asked = request->policy_asked & 1u << field;
    char path[64];
    char text[16];

    (void)snprintf(path, sizeof(path), "policy.%s", policy_field_name(field));
    if (!asked) {
        policy->value[field] = range.fallback;
        if (ceiling->max && (range.fallback > ceiling->max || !range.fallback)) {
            policy->value[field] = ceiling->max;
            policy->clamped |= 1u << field;
        }
        return;
    }
    if (policy->value[field] < range.low || policy->value[field] > range.high)
        out_of_range(field, &range, problems, path);
    else if (ceiling->max && policy->value[field] > ceiling->max)
        problems_add(problems, PROBLEM_CEILING, path, "%s allows at most %s; ask for that or less",
                     ceiling->source, wire_value(field, ceiling->max, text));
    else
        return;
    policy->value[field] = range.fallback; /* so that what depends on it can be judged */
}

static void check_args(const struct run_request *request, struct problems *problems)
{
    char path[32];

    for (size_t i = 0; i < request->arg_count; i++) {
        (void)snprintf(path, sizeof(path), "args[%zu]", i);
        if (request->args[i].length > DC_ARG_MAX_BYTES)
            problems_add(problems, PROBLEM_TOO_LARGE, path, "is longer than %d bytes",
                         DC_ARG_MAX_BYTES);
    }
}

static bool variable_name_valid(const char *name, size_t length)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

    return length && !(name[0] >= '0' && name[0] <= '9') && strspn(name, letters) == length;
}

static void check_env(const struct run_request *request, struct problems *problems)
{
    for (size_t i = 0; i < request->env_count; i++) {
        const struct run_text *variable = &request->env[i];
        size_t name = strcspn(variable->bytes, "=");
        char quoted[72];
        char path[96];

        (void)snprintf(path, sizeof(path), "env.%s", problem_quote(variable->bytes, name, quoted));
        if (!variable_name_valid(variable->bytes, name) || variable->bytes[name] != '=')
            problems_add(problems, PROBLEM_VALUE, path,
                         "is not a name of letters, digits and underscores");
        else if (variable->length > DC_ENV_MAX_BYTES)
            problems_add(problems, PROBLEM_TOO_LARGE, path,
                         "name and value are longer than %d bytes", DC_ENV_MAX_BYTES);
    }
}

static void check_artifacts(const struct run_request *request, struct problems *problems)
{
    for (size_t i = 0; i < request->artifact_count; i++) {
        const struct run_text *glob = &request->artifacts[i];
        char path[32];

        (void)snprintf(path, sizeof(path), "artifacts[%zu]", i);
        if (!run_path_valid(glob->bytes, glob->length))
            problems_add(problems, PROBLEM_PATH, path,
                         "must be a relative path or pattern inside the workspace, such as "
                         "\"out/*.png\"");
    }
}

static void check_user(const struct run_request *request, struct problems *problems)
{
    static const char *const tiers[] = {"free", "pro", "enterprise"};
    const char *id = request->user.id;
    const char *tier = request->user.tier;
    bool known = !tier;

    if (id && (!*id || strlen(id) > DC_USER_ID_MAX_BYTES))
        problems_add(problems, PROBLEM_RANGE, "userContext.id", "must have 1 to %d bytes",
                     DC_USER_ID_MAX_BYTES);
    if (request->user.email &&
        (!strchr(request->user.email, '@') || strlen(request->user.email) > DC_USER_TEXT_MAX_BYTES))
        problems_add(problems, PROBLEM_VALUE, "userContext.email", "is not an email address");
    if (request->user.name && strlen(request->user.name) > DC_USER_TEXT_MAX_BYTES)
        problems_add(problems, PROBLEM_TOO_LARGE, "userContext.name", "is longer than %d bytes",
                     DC_USER_TEXT_MAX_BYTES);
    for (size_t i = 0; tier && i < sizeof(tiers) / sizeof(tiers[0]); i++)
        known |= strcmp(tier, tiers[i]) == 0;
    if (!known)
        problems_add(problems, PROBLEM_VALUE, "userContext.tier",
                     "must be \"free\", \"pro\" or \"enterprise\"");
    if (request->user.metadata && strlen(request->user.metadata) > DC_USER_METADATA_MAX_BYTES)
        problems_add(problems, PROBLEM_TOO_LARGE, "userContext.metadata",
                     "is longer than %d bytes as JSON", DC_USER_METADATA_MAX_BYTES);
}

bool run_path_valid(const char *path, size_t length)
{
    size_t depth = 1;

    if (!job_path_valid(path, length) || !dc_utf8_valid(path, length))
        return false;
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f)
            return false;
        depth += path[i] == '/';
    }
    return depth <= DC_PATH_DEPTH_MAX;
}

int run_request_check(struct run_request *request, const struct run_limits *limits,
                      struct problems *problems, struct dc_err *err)
{
    for (int field = 0; field < POLICY_FIELDS; field++)
        check_policy_field(request, (enum policy_field)field, limits, problems);
    if (request->repo && !request->has_repo) {
        problems_add(problems, PROBLEM_NOT_ENABLED, "repo",
                     "running a repository is not enabled on this server; send its files in "
                     "`files`");
        return dc_fail(err, DC_INVALID, 0, "invalid request");
    }
    if (!request->has_lang && !problems_about(problems, "lang"))
        problems_add(problems, PROBLEM_MISSING, "lang", "is required: \"python\" or \"node\"");
    if (run_request_check_files(request, limits, problems, err) < 0)
        return -err->code;
    if (run_request_check_network(request, limits, problems, err) < 0)
        return -err->code;
    check_args(request, problems);
    check_env(request, problems);
    check_artifacts(request, problems);
    check_user(request, problems);
    if (request->stdin_bytes.length > DC_STDIN_MAX_BYTES)
        problems_add(problems, PROBLEM_TOO_LARGE, "stdin", "is longer than %d bytes",
                     DC_STDIN_MAX_BYTES);
    if (problems->total)
        return dc_fail(err, DC_INVALID, 0, "invalid request");
    return 0;
}
