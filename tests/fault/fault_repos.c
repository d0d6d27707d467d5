/*
 * A repository is fetched and unpacked while memory, sockets and the loop fail: it is had whole, or
 * it is said why not, and the next one who asks is not told of somebody else's trouble for long.
 */
#include <stdio.h>
#include <string.h>

#include "fault.h"
#include "fault_service.h"
#include "net/task.h"
#include "repos/repos.h"

static char api_url[64];

struct fetching {
    struct service service;
    struct repos *repos;
    bool over;
    int result;
    struct dc_err *err;
};

static bool is_whole(const struct repo_tree *tree)
{
    const struct repo_files *files = &tree->files;

    return files->count == 2 && strcmp(files->files[0].path, "main.py") == 0 &&
           strcmp(files->files[0].content, "print(1)") == 0 &&
           strcmp(files->files[1].path, "pkg/mod.py") == 0 &&
           strcmp(files->files[1].content, "x = 1") == 0 && strlen(tree->commit) == 40;
}

static void work(void *arg)
{
    struct fetching *fetching = arg;
    struct repo_tree *tree = NULL;
    struct repo_tree *same = NULL;
    uint32_t retry_s;

    fetching->result =
        repos_load(fetching->repos, "https://github.com/o/n", &tree, &retry_s, fetching->err);
    if (fetching->result == 0) /* from memory: the calls are not many */
        fetching->result = repos_load(fetching->repos, "o/n", &same, &retry_s, fetching->err);
    if ((tree && !is_whole(tree)) || (same && same != tree))
        fetching->result = dc_fail(fetching->err, DC_BUG, 0, "half a repository passed for one");
    repo_tree_unref(tree);
    repo_tree_unref(same);
    fetching->over = true;
}

static bool is_over(void *context)
{
    return ((struct fetching *)context)->over;
}

static int fetch_in(struct fetching *fetching, struct dc_err *err)
{
    const struct repos_options options = {
        .api_url = api_url, .host = "github.com", .token = "ghp_x", .cache_bytes = 1 << 20};

    if (service_open(&fetching->service, false, err) < 0 ||
        repos_new(fetching->service.outbound, &options, &fetching->repos, err) < 0 ||
        task_start(&fetching->service.loop, work, fetching, err) < 0)
        return -err->code;
    service_run(&fetching->service, is_over, fetching);
    return fetching->result;
}

static int fetch(struct dc_err *err)
{
    struct fetching fetching = {.err = err};
    int result = fetch_in(&fetching, err);

    result = service_close(&fetching.service, result, err);
    repos_free(fetching.repos);
    return result;
}

int main(void)
{
    static const struct fault_scenario scenarios[] = {
        {"fetch a repository", fetch, NULL, FAULT_HARD | FAULT_SOFT},
    };
    int result;

    if (!service_prepare(false))
        return 1;
    (void)snprintf(api_url, sizeof(api_url), "http://127.0.0.1:%u", service_peer.http_port);
    result = fault_main(scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
    service_clean();
    return result;
}
