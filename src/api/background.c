#include "api/background.h"

#include <stdlib.h>

#include "api/app_internal.h"
#include "base/log.h"
#include "net/task.h"

#include "base/poison.h"

/* The start of a task, put off to the next turn of the loop. */
struct beginning {
    uv_timer_t timer;
    struct app *app;
    void (*work)(void *arg);
    void *arg;
};

static void run(void *arg)
{
    struct beginning *beginning = arg;
    struct app *app = beginning->app;

    beginning->work(beginning->arg);
    app->background--;
    task_close_handle((uv_handle_t *)&beginning->timer);
    free(beginning);
}

static void on_turn(uv_timer_t *timer)
{
    struct beginning *beginning = timer->data;
    struct dc_err err;

    if (task_start(timer->loop, run, beginning, &err) < 0) {
        dc_log_err(DC_LOG_ERROR, NULL, &err, "a task waits for memory");
        (void)uv_timer_start(timer, on_turn, 100, 0);
    }
}

bool background_spawn(struct app *app, void (*work)(void *arg), void *arg)
{
    struct beginning *beginning = calloc(1, sizeof(*beginning));

    if (!beginning)
        return false;
    *beginning = (struct beginning){.app = app, .work = work, .arg = arg};
    (void)uv_timer_init(&app->loop, &beginning->timer); /* never fails */
    beginning->timer.data = beginning;
    (void)uv_timer_start(&beginning->timer, on_turn, 0, 0);
    app->background++;
    return true;
}

void background_sleep(struct app *app, uint64_t ms)
{
    (void)app; /* the task knows its loop */
    task_sleep(ms);
}
