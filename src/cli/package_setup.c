#include "cli/package_setup.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/confine.h"
#include "packages/warm.h"

#include "base/poison.h"

static void fill_options(const struct config *config, struct package_setup *setup)
{
    setup->options = (struct packages_options){
        .dir = setup->dir,
        .sources = &setup->sources,
        .cache_mb = config_number(config, CONFIG_PACKAGES_CACHE_MB),
        .layer_mb = config_number(config, CONFIG_PACKAGES_LAYER_MB),
        .memory_mb = config_number(config, CONFIG_PACKAGES_MEMORY_MB),
        .install_s = config_number(config, CONFIG_PACKAGES_INSTALL_SECONDS),
        .age_s = 3600 * config_number(config, CONFIG_PACKAGES_AGE_HOURS),
        .pip_source = config_number(config, CONFIG_PACKAGES_PIP_SOURCE) == 1,
        .npm_scripts = config_number(config, CONFIG_PACKAGES_NPM_SCRIPTS) == 1,
    };
}

void package_setup_move(struct package_setup *setup, const char *data_dir)
{
    (void)snprintf(setup->dir, sizeof(setup->dir), "%s/packages", data_dir);
}

enum { ZYGOTES_OFF, ZYGOTES_WARM, ZYGOTES_USED };
enum { PREPARED_SETS = 4 };

/* Code of packages runs in a zygote for the sets of the operator's list alone; for those in
 * frequent use it runs in spares, sealed as runs are. */
static int plan_imports(const struct config *config, struct launcher_options *options,
                        struct dc_err *err)
{
    DC_AUTO(package_warm_release) struct package_warm warm = {0};
    uint32_t memory_mb = config_number(config, CONFIG_PACKAGES_ZYGOTE_MB);
    uint32_t which = config_number(config, CONFIG_PACKAGES_ZYGOTES);

    if (package_warm_parse(config_text(config, CONFIG_PACKAGES_WARM), &warm, err) < 0)
        return dc_context(err, "packages.warm");
    if (!memory_mb || which == ZYGOTES_OFF)
        return 0;
    options->warm_mb = memory_mb;
    options->warm_sets = (uint32_t)(warm.count < DC_WARM_MAX ? warm.count : DC_WARM_MAX);
    options->prepared_sets = which == ZYGOTES_USED ? PREPARED_SETS : 0;
    return 0;
}

int package_setup_read(const struct config *config, struct launch_plan *plan,
                       struct package_setup *setup, struct dc_err *err)
{
    const char *data_dir = config_text(config, CONFIG_DATA_DIR);
    const struct package_source_options options = {
        .pip_index = config_text(config, CONFIG_PACKAGES_PIP_INDEX),
        .npm_registry = config_text(config, CONFIG_PACKAGES_NPM_REGISTRY),
        .npm_config = config_text(config, CONFIG_PACKAGES_NPM_CONFIG),
        .hosts = config_text(config, CONFIG_PACKAGES_HOSTS),
    };

    *setup = (struct package_setup){0};
    if (config_number(config, CONFIG_PACKAGES_ENABLED) != 1)
        return 0;
    if ((size_t)snprintf(plan->layers, sizeof(plan->layers), "%s/packages/layers", data_dir) >=
        sizeof(plan->layers))
        return dc_fail(err, DC_INVALID, 0, "the path '%.64s…' is too long", data_dir);
    if (package_sources_read(plan->root, &options, &setup->sources, err) < 0)
        return -err->code;
    setup->enabled = true;
    package_setup_move(setup, data_dir);
    fill_options(config, setup);
    plan->options.layers = plan->layers;
    if (plan_imports(config, &plan->options, err) < 0)
        return -err->code;
    plan->options.network = true; /* of the installs, whatever runs may */
    return 0;
}

void package_setup_release(struct package_setup *setup)
{
    package_sources_release(&setup->sources);
}

int package_setup_enter(const struct config *config, struct package_setup *setup,
                        struct dc_err *err)
{
    struct confine_identity identity;
    char folder[CONFINE_PATH_MAX];

    if (confine_identity(config, &identity, err) < 0 ||
        confine_data_dir(config, &identity, folder, err) < 0)
        return -err->code;
    package_setup_move(setup, folder);
    if (!identity.change)
        return 0;
    /* SECURITY: what root makes in a folder of somebody else's could be swapped under its hands. */
    if (setegid(identity.gid) < 0 || seteuid(identity.uid) < 0)
        return dc_fail_errno(err, "become user '%s'", identity.name);
    return 0;
}

void package_setup_leave(void)
{
    if (getuid() == geteuid())
        return;
    if (seteuid(getuid()) < 0 || setegid(getgid()) < 0)
        _exit(1); /* cannot happen: the right to is still there */
}
