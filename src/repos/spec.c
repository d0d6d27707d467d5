#include "repos/spec.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

#include "base/poison.h"

/* What is still to be read. */
struct reader {
    const char *at;
    const char *end;
};

static bool take_word(struct reader *reader, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(reader->end - reader->at) < length || strncasecmp(reader->at, word, length) != 0)
        return false;
    reader->at += length;
    return true;
}

/* Up to the next slash or the end, which is stepped over. */
static struct reader take_segment(struct reader *reader)
{
    const char *slash = memchr(reader->at, '/', (size_t)(reader->end - reader->at));
    struct reader segment = {reader->at, slash ? slash : reader->end};

    reader->at = slash ? slash + 1 : reader->end;
    return segment;
}

/* A browser's address may have them: they do not change what is meant. */
static void cut_query(struct reader *reader)
{
    for (const char *at = reader->at; at < reader->end; at++)
        if (*at == '?' || *at == '#') {
            reader->end = at;
            return;
        }
}

static bool is_name_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.';
}

/* Owner or name: letters, digits, "-", "_", "."; never "." or "..". */
static bool copy_name(struct reader segment, size_t max, char *out)
{
    size_t length = (size_t)(segment.end - segment.at);

    if (!length || length > max)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_name_byte(segment.at[i]))
            return false;
    memcpy(out, segment.at, length);
    out[length] = '\0';
    return strcmp(out, ".") != 0 && strcmp(out, "..") != 0;
}

/* SECURITY: before the name is judged: "..git" would become a way up in the host's URLs. */
static struct reader cut_git(struct reader segment)
{
    if (segment.end - segment.at > 4 && memcmp(segment.end - 4, ".git", 4) == 0)
        segment.end -= 4;
    return segment;
}

static int hex_value(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static bool decode(struct reader text, char *out, size_t size)
{
    size_t length = 0;

    while (text.at < text.end && length + 1 < size) {
        char byte = *text.at++;

        if (byte == '%') {
            int high = text.end - text.at >= 2 ? hex_value(text.at[0]) : -1;
            int low = high >= 0 ? hex_value(text.at[1]) : -1;

            if (low < 0)
                return false;
            byte = (char)(high << 4 | low);
            text.at += 2;
        }
        if ((unsigned char)byte < 0x20 || byte == 0x7f)
            return false;
        out[length++] = byte;
    }
    out[length] = '\0';
    return text.at == text.end && dc_utf8_valid(out, length);
}

/* What git allows in a ref, and no way up in a folder; a slash at the end is dropped. */
static bool rest_valid(char *rest)
{
    size_t length = strlen(rest);
    size_t segments = 1;

    if (length && rest[length - 1] == '/')
        rest[--length] = '\0';
    if (!length || rest[0] == '-' || strstr(rest, "//") || rest[0] == '/')
        return false;
    if (strpbrk(rest, "\\:~^*[") || strstr(rest, "@{"))
        return false;
    for (const char *at = rest; at; at = strchr(at, '/')) {
        at += *at == '/';
        if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || !at[2]))
            return false;
        if (at[0] == '.' && (at[1] == '/' || !at[1]))
            return false;
        segments++;
    }
    return segments <= REPO_SEGMENTS_MAX + 1;
}

static int read_rest(struct reader *reader, struct repo_spec *spec, struct dc_err *err)
{
    struct reader word = take_segment(reader);
    size_t length = (size_t)(word.end - word.at);
    bool tree = length == 4 && memcmp(word.at, "tree", 4) == 0;
    bool commit = length == 6 && memcmp(word.at, "commit", 6) == 0;

    if (!length && reader->at == reader->end)
        return 0; /* a slash at the end */
    if (length == 4 && memcmp(word.at, "blob", 4) == 0)
        return dc_fail(err, DC_INVALID, 0,
                       "names one file; give the repository or a folder of it (…/tree/BRANCH/"
                       "FOLDER), and the file as `entrypoint`");
    if (!tree && !commit)
        return dc_fail(err, DC_INVALID, 0,
                       "goes on after the name with what is neither /tree/BRANCH, "
                       "/tree/BRANCH/FOLDER nor /commit/SHA");
    if (!decode(*reader, spec->rest, sizeof(spec->rest)) || !rest_valid(spec->rest))
        return dc_fail(err, DC_INVALID, 0, "has no valid branch, commit or folder behind /%s/",
                       tree ? "tree" : "commit");
    return 0;
}

static int take_host(struct reader *reader, const char *host, struct dc_err *err)
{
    if (!take_word(reader, "https://") && !take_word(reader, "http://"))
        return 0;
    (void)take_word(reader, "www.");
    if (take_word(reader, host) && take_word(reader, "/"))
        return 0;
    return dc_fail(err, DC_INVALID, 0, "is on another host; repositories come from %s", host);
}

int repo_spec_parse(const char *text, size_t length, const char *host, struct repo_spec *ret_spec,
                    struct dc_err *err)
{
    static const char form[] = "must be \"owner/name\" or a URL such as "
                               "https://%s/owner/name/tree/BRANCH/FOLDER";
    struct reader reader = {text, text + length};

    *ret_spec = (struct repo_spec){0};
    if (length > REPO_SPEC_MAX_BYTES)
        return dc_fail(err, DC_INVALID, 0, "is longer than %d bytes", REPO_SPEC_MAX_BYTES);
    cut_query(&reader);
    if (take_host(&reader, host, err) < 0)
        return -err->code;
    if (!copy_name(take_segment(&reader), REPO_OWNER_MAX_BYTES, ret_spec->owner) ||
        !copy_name(cut_git(take_segment(&reader)), REPO_NAME_MAX_BYTES, ret_spec->name))
        return dc_fail(err, DC_INVALID, 0, form, host);
    return reader.at < reader.end ? read_rest(&reader, ret_spec, err) : 0;
}

size_t repo_spec_cuts(const struct repo_spec *spec)
{
    size_t count = spec->rest[0] != '\0';

    for (const char *at = spec->rest; (at = strchr(at, '/')); at++)
        count++;
    return count;
}

void repo_spec_cut(const struct repo_spec *spec, size_t i, char *ret_ref, const char **ret_folder)
{
    const char *at = strchr(spec->rest, '/');

    for (; at && i > 0; i--)
        at = strchr(at + 1, '/');
    if (!at)
        at = spec->rest + strlen(spec->rest);
    memcpy(ret_ref, spec->rest, (size_t)(at - spec->rest));
    ret_ref[at - spec->rest] = '\0';
    *ret_folder = *at ? at + 1 : at;
}
