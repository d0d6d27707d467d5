#include "fault.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "proto/job.h"
#include "proto/launch.h"
#include "proto/link.h"

static int make_job(struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf buf;
    DC_AUTO(dc_close) int fd = -1;
    char head[4];
    size_t length;

    dc_buf_init(&buf, 1 << 20);
    if (!job_put(&buf, JOB_ENTRYPOINT, "main.py", 7) ||
        !job_put_file(&buf, "main.py", "print(1)", 8) || !job_put(&buf, JOB_END, NULL, 0))
        return dc_fail(err, DC_KERNEL, ENOMEM, "job");
    if (job_seal(&buf, &fd, err) < 0 || dc_read_full(fd, head, sizeof(head), &length, err) < 0)
        return -err->code;
    if (length != sizeof(head) || memcmp(head, buf.data, sizeof(head)) != 0)
        return dc_fail(err, DC_BUG, 0, "the sealed job differs");
    return 0;
}

static void close_pair(int *ends)
{
    dc_close_clear(&ends[0]);
    dc_close_clear(&ends[1]);
}

static int exchange(const int *ends, struct dc_err *err)
{
    struct launch_cancel body = {.run = 7};
    int fds[2] = {ends[0], ends[1]};
    struct link_message message;
    int result = link_send(ends[0], LAUNCH_CANCEL, &body, sizeof(body), fds, 2, err);

    if (result == 0)
        result = link_receive(ends[1], &message, err);
    if (result < 0)
        return result;
    if (!link_message_is(&message, sizeof(body), 2) || memcmp(message.body, &body, sizeof(body)))
        result = dc_fail(err, DC_BUG, 0, "the message differs");
    link_message_release(&message);
    return result;
}

static int send_and_receive(struct dc_err *err)
{
    int ends[2];
    int result = link_pair(ends, err);

    if (result < 0)
        return result;
    for (int i = 0; i < 3 && result == 0; i++)
        result = exchange(ends, err);
    close_pair(ends);
    return result;
}

int main(void)
{
    static const struct fault_scenario scenarios[] = {
        {"make a job", make_job, NULL, FAULT_HARD | FAULT_SOFT},
        {"send and receive", send_and_receive, NULL,
         FAULT_BIT(FAULT_SYSTEM) | FAULT_BIT(FAULT_INTERRUPT)},
    };

    return fault_main(scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
