#include "cli/billing_ask.h"

#include "base/clock.h"
#include "net/task.h"

#include "base/poison.h"

enum { RETRIES = 3, SETTLED_H = 2 };

int64_t billing_settled_at(int64_t moment)
{
    return moment + (int64_t)SETTLED_H * 3600 * DC_NS_PER_S;
}

static void run_work(void *arg)
{
    struct asking *asking = arg;

    asking->result = asking->work(asking, asking->err);
    outbound_stop(asking->outbound);
}

static int ask_in_loop(struct asking *asking, struct dc_err *err)
{
    asking->stripe = (struct stripe){.outbound = asking->outbound,
                                     .url = asking->options.url,
                                     .key = asking->options.token,
                                     .retries = RETRIES};
    if (outbound_start(asking->outbound, &asking->loop, err) < 0)
        return -err->code;
    if (task_start(&asking->loop, run_work, asking, err) < 0) {
        outbound_stop(asking->outbound);
        (void)uv_run(&asking->loop, UV_RUN_DEFAULT);
        return -err->code;
    }
    (void)uv_run(&asking->loop, UV_RUN_DEFAULT);
    return asking->result;
}

static int ask(struct asking *asking, struct dc_err *err)
{
    const struct outbound_options options = {
        .proxy = config_text(asking->config, CONFIG_OUTBOUND_PROXY),
        .ca_file = config_text(asking->config, CONFIG_OUTBOUND_CA_FILE),
    };
    int result;

    asking->err = err;
    if (billing_setup_read(asking->config, &asking->options, err) < 0)
        return -err->code;
    if (asking->options.mode != BILLING_STRIPE)
        return dc_fail(err, DC_INVALID, 0, "billing is not stripe: set STRIPE_SECRET_KEY");
    if (outbound_new(&options, &asking->outbound, err) < 0)
        return -err->code;
    if (uv_loop_init(&asking->loop) < 0) {
        outbound_free(asking->outbound);
        return dc_fail(err, DC_KERNEL, 0, "event loop");
    }
    result = ask_in_loop(asking, err);
    task_release_kept();
    dc_ignore(uv_loop_close(&asking->loop));
    outbound_free(asking->outbound);
    return result;
}

int billing_ask(struct asking *asking, struct dc_err *err)
{
    struct dc_err unwritten;
    int result;

    dc_buf_init(&asking->out, CLI_OUTPUT_MAX_BYTES);
    result = ask(asking, err);
    if (cli_output(&asking->out, &unwritten) < 0 && result == 0) {
        *err = unwritten;
        result = -err->code;
    }
    dc_buf_release(&asking->out);
    return result < 0 ? result : asking->unequal ? CLI_FAILED : CLI_OK;
}

static int take_none(void *context, int option, const char *value, struct dc_err *err)
{
    (void)context;
    (void)option;
    (void)value;
    return dc_fail(err, DC_BUG, 0, "no options");
}

int billing_ask_parse(struct cli_call *call, int operands,
                      int (*take)(void *context, int option, const char *value, struct dc_err *err),
                      void *context, struct dc_err *err)
{
    int result = cli_parse(call, take ? take : take_none, context, err);

    return result ? result : cli_operands(call, operands, err);
}
