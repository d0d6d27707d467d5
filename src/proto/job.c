#include "proto/job.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/io.h"
#include "base/limits.h"

#include "base/poison.h"

bool job_put(struct dc_buf *buf, enum job_kind kind, const void *bytes, size_t length)
{
    uint32_t head[2] = {(uint32_t)kind, (uint32_t)length};

    return length <= UINT32_MAX && dc_buf_append(buf, head, sizeof(head)) &&
           dc_buf_append(buf, bytes, length);
}

bool job_put_file(struct dc_buf *buf, const char *path, const void *content, size_t length)
{
    size_t path_length = strlen(path);
    uint16_t short_length = (uint16_t)path_length;
    uint32_t head[2] = {JOB_FILE, (uint32_t)(sizeof(short_length) + path_length + length)};

    return path_length <= DC_PATH_MAX_BYTES && length <= UINT32_MAX / 2 &&
           dc_buf_append(buf, head, sizeof(head)) &&
           dc_buf_append(buf, &short_length, sizeof(short_length)) &&
           dc_buf_append(buf, path, path_length) && dc_buf_append(buf, content, length);
}

int job_seal(const struct dc_buf *buf, int *ret_fd, struct dc_err *err)
{
    DC_AUTO(dc_close) int fd = memfd_create("job", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return dc_fail_errno(err, "memfd_create");
    if (dc_write_all(fd, dc_buf_str(buf), buf->length, err) < 0)
        return dc_context(err, "job memfd");
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
        return dc_fail_errno(err, "seal job memfd");
    if (lseek(fd, 0, SEEK_SET) < 0)
        return dc_fail_errno(err, "rewind job memfd");
    *ret_fd = dc_take_fd(&fd);
    return 0;
}

int job_next(const char *job, size_t length, size_t *at, struct job_record *ret_record,
             struct dc_err *err)
{
    uint32_t head[2];

    if (length - *at < sizeof(head))
        return dc_fail(err, DC_INVALID, 0, "job ends inside a record head");
    memcpy(head, job + *at, sizeof(head));
    *at += sizeof(head);
    if (head[0] == JOB_END)
        return 0;
    if (head[0] > JOB_ARTIFACT || head[1] > length - *at)
        return dc_fail(err, DC_INVALID, 0, "job record kind %u, %u bytes", head[0], head[1]);
    *ret_record = (struct job_record){(enum job_kind)head[0], job + *at, head[1]};
    *at += head[1];
    return 1;
}

int job_file_split(const struct job_record *record, struct job_file *ret_file, struct dc_err *err)
{
    uint16_t path_length;

    if (record->length < sizeof(path_length))
        return dc_fail(err, DC_INVALID, 0, "file record of %zu bytes", record->length);
    memcpy(&path_length, record->bytes, sizeof(path_length));
    if (path_length > record->length - sizeof(path_length))
        return dc_fail(err, DC_INVALID, 0, "file record with a path of %u bytes", path_length);
    *ret_file = (struct job_file){
        .path = record->bytes + sizeof(path_length),
        .path_length = path_length,
        .content = record->bytes + sizeof(path_length) + path_length,
        .content_length = record->length - sizeof(path_length) - path_length,
    };
    return 0;
}

bool job_path_valid(const char *path, size_t length)
{
    size_t start = 0;

    if (length == 0 || length > DC_PATH_MAX_BYTES || memchr(path, '\0', length))
        return false;
    for (size_t i = 0; i <= length; i++) {
        size_t n = i - start;

        if (i < length && path[i] != '/')
            continue;
        if (n == 0 || n > 255 || (n == 1 && path[start] == '.') ||
            (n == 2 && path[start] == '.' && path[start + 1] == '.'))
            return false;
        start = i + 1;
    }
    return true;
}
