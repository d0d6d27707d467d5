#include "api/background.h"

#include <stdlib.h>

#include "api/app_internal.h"
#include "base/log.h"
#include "net/task.h"

#include "base/poison.h"

struct work {
    struct app *app;
    void (*run)(void *arg);
    void *arg;
};

static void run_work(void *arg)
{
    struct work work = *(struct work *)arg;

    free(arg);
    work.run(work.arg);
    work.app->background--;
}

bool background_spawn(struct app *app, void (*run)(void *arg), void *arg)
{
    struct work *work = malloc(sizeof(*work));
    struct dc_err err;

    if (!work)
        return false;
    *work = (struct work){app, run, arg};
    app->background++;
    if (task_start(&app->loop, run_work, work, &err) == 0)
        return true;
    dc_log_err(DC_LOG_ERROR, NULL, &err, "a task could not be started");
    app->background--;
    free(work);
    return false;
}

void background_sleep(uint64_t ms)
{
    task_sleep(ms);
}
