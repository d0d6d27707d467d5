#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/limits.h"
#include "proto/job.h"
#include "proto/launch.h"
#include "proto/link.h"

static void fill_job(struct dc_buf *buf)
{
    dc_buf_init(buf, 1 << 20);
    assert_true(job_put(buf, JOB_ENTRYPOINT, "main.py", 7));
    assert_true(job_put_file(buf, "a/b.py", "x = 1", 5));
    assert_true(job_put_file(buf, "empty", "", 0));
    assert_true(job_put(buf, JOB_ARG, "", 0));
    assert_true(job_put(buf, JOB_END, NULL, 0));
}

static void test_job_comes_back(void **state)
{
    DC_AUTO(dc_buf_release) struct dc_buf buf;
    struct job_record record;
    struct job_file file;
    size_t at = 0;
    struct dc_err err;

    (void)state;
    fill_job(&buf);
    assert_int_equal(job_next(buf.data, buf.length, &at, &record, &err), 1);
    assert_int_equal(record.kind, JOB_ENTRYPOINT);
    assert_int_equal(record.length, 7);
    assert_memory_equal(record.bytes, "main.py", 7);
    assert_int_equal(job_next(buf.data, buf.length, &at, &record, &err), 1);
    assert_int_equal(record.kind, JOB_FILE);
    assert_int_equal(job_file_split(&record, &file, &err), 0);
    assert_int_equal(file.path_length, 6);
    assert_memory_equal(file.path, "a/b.py", 6);
    assert_int_equal(file.content_length, 5);
    assert_memory_equal(file.content, "x = 1", 5);
    assert_int_equal(job_next(buf.data, buf.length, &at, &record, &err), 1);
    assert_int_equal(job_file_split(&record, &file, &err), 0);
    assert_int_equal(file.content_length, 0);
    assert_int_equal(job_next(buf.data, buf.length, &at, &record, &err), 1);
    assert_int_equal(record.kind, JOB_ARG);
    assert_int_equal(record.length, 0);
    assert_int_equal(job_next(buf.data, buf.length, &at, &record, &err), 0);
}

/* Cut anywhere, a job ends in an error, never in a read behind its end (the copy is exact, so that
 * a sanitizer would see that). */
static void test_cut_jobs_are_refused(void **state)
{
    DC_AUTO(dc_buf_release) struct dc_buf buf;

    (void)state;
    fill_job(&buf);
    for (size_t length = 0; length < buf.length; length++) {
        DC_AUTO(dc_free) char *copy = malloc(length ? length : 1);
        struct job_record record;
        size_t at = 0;
        struct dc_err err;
        int result;

        memcpy(copy, buf.data, length);
        do
            result = job_next(copy, length, &at, &record, &err);
        while (result == 1);
        assert_int_equal(result, -DC_INVALID);
    }
}

static void test_broken_records_are_refused(void **state)
{
    static const uint32_t unknown[2] = {JOB_ARTIFACT + 1, 0};
    static const uint32_t long_one[2] = {JOB_ARG, UINT32_MAX};
    struct job_record record;
    struct job_file file;
    size_t at = 0;
    struct dc_err err;

    (void)state;
    assert_int_equal(job_next((const char *)unknown, 8, &at, &record, &err), -DC_INVALID);
    at = 0;
    assert_int_equal(job_next((const char *)long_one, 8, &at, &record, &err), -DC_INVALID);
    record = (struct job_record){JOB_FILE, "\x05", 1};
    assert_int_equal(job_file_split(&record, &file, &err), -DC_INVALID);
    record = (struct job_record){JOB_FILE,
                                 "\x05\x00"
                                 "1234",
                                 6};
    assert_int_equal(job_file_split(&record, &file, &err), -DC_INVALID);
}

static void test_sealed_job_cannot_change(void **state)
{
    DC_AUTO(dc_buf_release) struct dc_buf buf;
    DC_AUTO(dc_close) int fd = -1;
    char got[4096];
    size_t length;
    struct dc_err err;

    (void)state;
    fill_job(&buf);
    assert_int_equal(job_seal(&buf, &fd, &err), 0);
    assert_int_equal(dc_read_full(fd, got, sizeof(got), &length, &err), 0);
    assert_int_equal(length, buf.length);
    assert_memory_equal(got, buf.data, length);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(ftruncate(fd, 1 << 20), -1);
    assert_ptr_equal(mmap(NULL, 1, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, 0), -1);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void test_paths(void **state)
{
    static const char *const good[] = {"a", "main.py", "a/b/c", "...", "..a", "a..", ".a", "a b"};
    static const char *const bad[] = {"",    "/",    "/a",  "a/",   "a//b",  ".",     "..",
                                      "./a", "../a", "a/.", "a/..", "a/./b", "a/../b"};
    char path[DC_PATH_MAX_BYTES + 2];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(job_path_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(job_path_valid(bad[i], strlen(bad[i])));
    assert_false(job_path_valid("a\0b", 3));
    memset(path, 'x', sizeof(path));
    assert_true(job_path_valid(path, 255));
    assert_false(job_path_valid(path, 256));
    for (size_t i = 200; i < sizeof(path); i += 200)
        path[i] = '/';
    assert_true(job_path_valid(path, DC_PATH_MAX_BYTES));
    assert_false(job_path_valid(path, DC_PATH_MAX_BYTES + 1));
}

struct ends {
    int fds[2];
};

static int open_pair(void **state)
{
    static struct ends ends;
    struct dc_err err;

    *state = &ends;
    return link_pair(ends.fds, &err);
}

static int close_pair(void **state)
{
    struct ends *ends = *state;

    dc_close_clear(&ends->fds[0]);
    dc_close_clear(&ends->fds[1]);
    return 0;
}

static void test_message_with_descriptors(void **state)
{
    struct ends *ends = *state;
    struct launch_cancel body = {.run = 42};
    struct link_message message;
    int fds[2] = {ends->fds[0], ends->fds[1]};
    int taken;
    struct dc_err err;

    assert_int_equal(link_send(ends->fds[0], LAUNCH_CANCEL, &body, sizeof(body), fds, 2, &err), 0);
    assert_int_equal(link_receive(ends->fds[1], &message, &err), 0);
    assert_int_equal(message.header.type, LAUNCH_CANCEL);
    assert_true(link_message_is(&message, sizeof(body), 2));
    assert_false(link_message_is(&message, sizeof(body), 1));
    assert_false(link_message_is(&message, sizeof(body) + 1, 2));
    assert_memory_equal(message.body, &body, sizeof(body));
    assert_true(fcntl(message.fds[0], F_GETFD) & FD_CLOEXEC);
    taken = link_message_take_fd(&message, 0);
    link_message_release(&message);
    assert_int_equal(message.fds[1], -1);
    assert_true(fcntl(taken, F_GETFD) >= 0);
    (void)close(taken);
}

static void test_message_without_a_body(void **state)
{
    struct ends *ends = *state;
    struct link_message message;
    struct dc_err err;

    assert_int_equal(link_send(ends->fds[0], LAUNCH_SHUTDOWN, NULL, 0, NULL, 0, &err), 0);
    assert_int_equal(link_receive(ends->fds[1], &message, &err), 0);
    assert_true(link_message_is(&message, 0, 0));
}

static void test_largest_message(void **state)
{
    struct ends *ends = *state;
    static uint8_t body[DC_MESSAGE_MAX_BYTES];
    size_t max = sizeof(body) - sizeof(struct link_header);
    struct link_message message;
    int fds[DC_MESSAGE_MAX_FDS];
    struct dc_err err;

    for (size_t i = 0; i < DC_MESSAGE_MAX_FDS; i++)
        fds[i] = ends->fds[0];
    memset(body, 0xa5, sizeof(body));
    assert_int_equal(link_send(ends->fds[0], LAUNCH_RUN, body, max, fds, DC_MESSAGE_MAX_FDS, &err),
                     0);
    assert_int_equal(link_receive(ends->fds[1], &message, &err), 0);
    assert_true(link_message_is(&message, max, DC_MESSAGE_MAX_FDS));
    assert_memory_equal(message.body, body, max);
    link_message_release(&message);
    assert_int_equal(link_send(ends->fds[0], LAUNCH_RUN, body, max + 1, NULL, 0, &err), -DC_BUG);
    assert_int_equal(
        link_send(ends->fds[0], LAUNCH_RUN, body, 0, fds, DC_MESSAGE_MAX_FDS + 1, &err), -DC_BUG);
}

static void test_ends_of_a_link(void **state)
{
    struct ends *ends = *state;
    struct link_message message;
    struct dc_err err;

    assert_int_equal(fcntl(ends->fds[1], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(link_receive(ends->fds[1], &message, &err), -DC_BUSY);
    assert_int_equal(fcntl(ends->fds[0], F_SETFL, O_NONBLOCK), 0);
    while (link_send(ends->fds[0], LAUNCH_SHUTDOWN, NULL, 0, NULL, 0, &err) == 0)
        continue;
    assert_int_equal(err.code, DC_BUSY);
    dc_close_clear(&ends->fds[1]);
    assert_int_equal(link_send(ends->fds[0], LAUNCH_SHUTDOWN, NULL, 0, NULL, 0, &err),
                     -DC_NOT_FOUND);
    assert_int_equal(link_receive(ends->fds[0], &message, &err), -DC_NOT_FOUND);
}

static long count_fds(void)
{
    long count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Sends raw bytes with descriptors, as a hostile peer would. */
static void send_raw(int fd, const void *bytes, size_t length, size_t fd_count)
{
    struct iovec part = {(void *)(uintptr_t)bytes, length};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * 64)] = {0};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};

    if (fd_count) {
        struct cmsghdr *cmsg;

        msg.msg_control = control;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        for (size_t i = 0; i < fd_count; i++)
            memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &fd, sizeof(fd));
    }
    assert_int_equal(sendmsg(fd, &msg, 0), (ssize_t)length);
}

static void test_malformed_messages_leave_no_descriptor(void **state)
{
    struct ends *ends = *state;
    static uint8_t large[DC_MESSAGE_MAX_BYTES + 1] = {LINK_VERSION};
    struct link_header headers[] = {
        {LINK_VERSION + 1, LAUNCH_RUN, 2, 0}, /* version */
        {LINK_VERSION, LAUNCH_RUN, 1, 0},     /* more descriptors than said */
        {LINK_VERSION, LAUNCH_RUN, 3, 0},     /* fewer */
        {LINK_VERSION, LAUNCH_RUN, 2, 1},     /* shorter than said */
        {LINK_VERSION, LAUNCH_RUN, 2, UINT32_MAX},
    };
    struct link_message message;
    struct dc_err err;
    long before = count_fds();

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        send_raw(ends->fds[0], &headers[i], sizeof(headers[i]), 2);
        assert_int_equal(link_receive(ends->fds[1], &message, &err), -DC_BUG);
    }
    send_raw(ends->fds[0], large, 3, 2); /* not even a header */
    assert_int_equal(link_receive(ends->fds[1], &message, &err), -DC_BUG);
    send_raw(ends->fds[0], large, sizeof(large), 2);
    assert_int_equal(link_receive(ends->fds[1], &message, &err), -DC_BUG);
    headers[0] = (struct link_header){LINK_VERSION, LAUNCH_RUN, 40, 0};
    send_raw(ends->fds[0], &headers[0], sizeof(headers[0]), 40); /* more than there is room for */
    assert_int_equal(link_receive(ends->fds[1], &message, &err), -DC_BUG);
    assert_int_equal(count_fds(), before);
}

#define with_pair(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_job_comes_back),
        cmocka_unit_test(test_cut_jobs_are_refused),
        cmocka_unit_test(test_broken_records_are_refused),
        cmocka_unit_test(test_sealed_job_cannot_change),
        cmocka_unit_test(test_paths),
        with_pair(test_message_with_descriptors),
        with_pair(test_message_without_a_body),
        with_pair(test_largest_message),
        with_pair(test_ends_of_a_link),
        with_pair(test_malformed_messages_leave_no_descriptor),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("proto", tests, NULL, NULL);
}
