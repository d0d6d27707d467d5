/* Repositories: the first byte says whether the rest is what a caller wrote, or the archive. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/job.h"
#include "repos/contents.h"
#include "repos/detect.h"
#include "repos/spec.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Does one of its parts lead up? "a.." is a name as any. */
static int leads_up(const char *folder)
{
    for (const char *at = folder; at; at = strchr(at, '/')) {
        at += *at == '/';
        if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || !at[2]))
            return 1;
    }
    return 0;
}

static void try_spec(const char *text, size_t length)
{
    struct repo_spec spec;
    struct dc_err err;
    char ref[REPO_REST_MAX_BYTES + 1];
    const char *folder;

    if (repo_spec_parse(text, length, "github.com", &spec, &err) < 0) {
        assert(err.code == DC_INVALID);
        return;
    }
    assert(spec.owner[0] && spec.name[0] && !strchr(spec.owner, '/') && !strchr(spec.name, '/'));
    assert(strcmp(spec.owner, ".") != 0 && strcmp(spec.owner, "..") != 0);
    assert(strcmp(spec.name, ".") != 0 && strcmp(spec.name, "..") != 0);
    for (size_t i = 0; i < repo_spec_cuts(&spec); i++) {
        repo_spec_cut(&spec, i, ref, &folder);
        assert(ref[0] && !leads_up(folder));
    }
}

static void try_contents(const uint8_t *data, size_t size)
{
    DC_AUTO(repo_files_release) struct repo_files files = {0};
    struct dc_err err;
    enum run_lang lang;

    if (repo_contents_read(data, size, "", &files, &err) < 0)
        return;
    for (size_t i = 0; i < files.count; i++) {
        const struct repo_file *file = &files.files[i];

        assert(job_path_valid(file->path, strlen(file->path)));
        assert(file->length <= REPO_FILE_MAX_BYTES && !file->content[file->length]);
    }
    if (repo_detect_lang(&files, &lang))
        (void)repo_detect_entrypoint(&files, lang);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size && data[0] == 's')
        try_spec((const char *)data + 1, size - 1);
    else if (size)
        try_contents(data + 1, size - 1);
    return 0;
}
