#include "cli/run_repo.h"

#include <uv.h>

#include "net/task.h"

#include "base/poison.h"

struct fetching {
    struct outbound *outbound;
    struct repos *repos;
    const char *text;
    struct repo_tree *tree; /* NULL: none was got */
    int status;
    struct dc_err err;
};

static void fetch_task(void *context)
{
    struct fetching *fetching = context;
    uint32_t retry_s;

    fetching->status =
        repos_load(fetching->repos, fetching->text, &fetching->tree, &retry_s, &fetching->err);
    outbound_stop(fetching->outbound);
}

static int fetch_on_loop(struct fetching *fetching, struct dc_err *err)
{
    uv_loop_t loop;
    int result;

    if (uv_loop_init(&loop) < 0)
        return dc_fail(err, DC_KERNEL, 0, "event loop");
    result = outbound_start(fetching->outbound, &loop, err);
    if (result == 0)
        result = task_start(&loop, fetch_task, fetching, err);
    if (result < 0)
        outbound_stop(fetching->outbound);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    if (result < 0 || fetching->status == 0)
        return result;
    *err = fetching->err;
    return -err->code;
}

static int fetch(const struct config *config, const char *text, struct repo_tree **ret_tree,
                 struct dc_err *err)
{
    const struct outbound_options outbound = {
        .proxy = config_text(config, CONFIG_OUTBOUND_PROXY),
        .ca_file = config_text(config, CONFIG_OUTBOUND_CA_FILE),
    };
    const struct repos_options repos = {
        .api_url = config_text(config, CONFIG_REPOS_API_URL),
        .host = config_text(config, CONFIG_REPOS_HOST),
        .token = config_text_or_null(config, CONFIG_REPOS_TOKEN),
    };
    struct fetching fetching = {.text = text};
    int result = outbound_new(&outbound, &fetching.outbound, err);

    if (result == 0)
        result = repos_new(fetching.outbound, &repos, &fetching.repos, err);
    if (result == 0)
        result = fetch_on_loop(&fetching, err);
    repos_free(fetching.repos);
    outbound_free(fetching.outbound);
    *ret_tree = fetching.tree;
    return result;
}

int run_repo_add(const struct config *config, const char *text, struct run_request *request,
                 struct repo_tree **ret_tree, struct dc_err *err)
{
    DC_AUTO(problems_release) struct problems problems;
    int result;

    problems_init(&problems);
    if (fetch(config, text, ret_tree, err) < 0)
        return dc_context(err, "--repo");
    result = repo_tree_apply(*ret_tree, request, &problems, err);
    if (problems.total)
        result = dc_fail(err, DC_INVALID, 0, "--repo: %s", problems.list[0].message);
    return result;
}
