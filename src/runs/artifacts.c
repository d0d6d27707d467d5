#include "runs/artifacts.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/limits.h"
#include "proto/artifact.h"
#include "runs/pipe_reader.h"
#include "runs/request_internal.h"

#include "base/poison.h"

/* All files, all heads and paths, and the record that says something was left out. */
enum {
    STREAM_MAX_BYTES = DC_ARTIFACTS_MAX_BYTES +
                       (DC_ARTIFACTS_MAX + 1) * (DC_PATH_MAX_BYTES + sizeof(struct artifact_head))
};

bool artifact_glob_matches(const char *glob, const char *path)
{
    int flags = FNM_PERIOD | (strstr(glob, "**") ? 0 : FNM_PATHNAME);

    return fnmatch(glob, path, flags) == 0;
}

static bool asked_for(const char *path, size_t length, const struct run_text *globs,
                      size_t glob_count)
{
    char text[DC_PATH_MAX_BYTES + 1];

    if (!globs)
        return true;
    memcpy(text, path, length);
    text[length] = '\0';
    for (size_t i = 0; i < glob_count; i++)
        if (artifact_glob_matches(globs[i].bytes, text))
            return true;
    return false;
}

static bool there_already(const struct artifacts *artifacts, const char *path, size_t length)
{
    for (size_t i = 0; i < artifacts->count; i++)
        if (artifacts->list[i].path_length == length &&
            memcmp(artifacts->list[i].path, path, length) == 0)
            return true;
    return false;
}

struct reading {
    const char *stream;
    size_t length;
    size_t at;
    size_t bytes; /* of content taken */
    const struct run_text *globs;
    size_t glob_count;
};

/* The next record's pieces. Returns false when the stream is malformed or says that it is cut. */
static bool next_record(struct reading *reading, struct artifact *ret_artifact)
{
    struct artifact_head head;
    size_t left = reading->length - reading->at;
    const char *path;

    if (left < sizeof(head))
        return false;
    memcpy(&head, reading->stream + reading->at, sizeof(head));
    left -= sizeof(head);
    if (head.flags || head.path_length > left || head.content_length > left - head.path_length)
        return false;
    path = reading->stream + reading->at + sizeof(head);
    *ret_artifact =
        (struct artifact){path, head.path_length, path + head.path_length, head.content_length};
    reading->at += sizeof(head) + head.path_length + head.content_length;
    return true;
}

static bool acceptable(const struct reading *reading, const struct artifacts *artifacts,
                       const struct artifact *artifact)
{
    return artifacts->count < DC_ARTIFACTS_MAX &&
           artifact->content_length <= DC_ARTIFACTS_MAX_BYTES - reading->bytes &&
           run_path_valid(artifact->path, artifact->path_length) &&
           asked_for(artifact->path, artifact->path_length, reading->globs, reading->glob_count) &&
           !there_already(artifacts, artifact->path, artifact->path_length);
}

void artifacts_parse(const char *stream, size_t length, const struct run_text *globs,
                     size_t glob_count, struct artifacts *ret_artifacts)
{
    struct reading reading = {
        .stream = stream, .length = length, .globs = globs, .glob_count = glob_count};

    ret_artifacts->count = 0;
    ret_artifacts->truncated = false;
    while (reading.at < length) {
        struct artifact artifact;

        if (!next_record(&reading, &artifact)) {
            ret_artifacts->truncated = true;
            return;
        }
        if (!acceptable(&reading, ret_artifacts, &artifact)) {
            ret_artifacts->truncated = true; /* the next one may be good */
            continue;
        }
        ret_artifacts->list[ret_artifacts->count++] = artifact;
        reading.bytes += artifact.content_length;
    }
}

bool artifacts_print(const struct artifacts *artifacts, struct dc_buf *out)
{
    (void)dc_buf_text(out, "\"files\":[");
    for (size_t i = 0; i < artifacts->count; i++) {
        const struct artifact *artifact = &artifacts->list[i];

        (void)dc_buf_text(out, i ? ",{\"path\":" : "{\"path\":");
        (void)dc_buf_json_string(out, artifact->path, artifact->path_length);
        (void)dc_buf_printf(out, ",\"size\":%zu,\"encoding\":\"base64\",\"content\":\"",
                            artifact->content_length);
        (void)dc_base64_encode(out, artifact->content, artifact->content_length);
        (void)dc_buf_text(out, "\"}");
    }
    (void)dc_buf_byte(out, ']');
    if (artifacts->truncated)
        (void)dc_buf_text(out, ",\"filesTruncated\":true");
    return !out->failed;
}

struct artifact_reader {
    struct pipe_reader *pipe;
    struct dc_buf stream;
};

static void take(void *context, const char *bytes, size_t length)
{
    struct artifact_reader *reader = context;
    size_t room = STREAM_MAX_BYTES - reader->stream.length;

    /* Beyond the caps or without memory it is cut, which the parser sees as a broken record. */
    if (reader->stream.failed)
        return;
    (void)dc_buf_append(&reader->stream, bytes, length < room ? length : room);
}

int artifact_reader_open(uv_loop_t *loop, struct artifact_reader **ret_reader, struct dc_err *err)
{
    DC_AUTO(artifact_reader_free) struct artifact_reader *reader = calloc(1, sizeof(*reader));

    if (!reader)
        return dc_fail(err, DC_KERNEL, ENOMEM, "artifacts");
    dc_buf_init(&reader->stream, STREAM_MAX_BYTES);
    if (pipe_reader_open(take, reader, &reader->pipe, err) < 0 ||
        pipe_reader_listen(reader->pipe, loop, err) < 0)
        return dc_context(err, "artifacts");
    *ret_reader = dc_take(reader);
    return 0;
}

void artifact_reader_free(struct artifact_reader *reader)
{
    if (!reader)
        return;
    pipe_reader_free(reader->pipe);
    dc_buf_release(&reader->stream);
    free(reader);
}

int artifact_reader_writer(const struct artifact_reader *reader)
{
    return pipe_reader_writer(reader->pipe);
}

void artifact_reader_close_writer(struct artifact_reader *reader)
{
    pipe_reader_close_writer(reader->pipe);
}

const char *artifact_reader_finish(struct artifact_reader *reader, size_t *ret_length)
{
    pipe_reader_finish(reader->pipe);
    *ret_length = reader->stream.length;
    return dc_buf_str(&reader->stream);
}
