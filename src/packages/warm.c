#include "packages/warm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/poison.h"

static const char blanks[] = " \t\n,";

void package_warm_release(struct package_warm *warm)
{
    for (size_t i = 0; i < warm->count; i++)
        package_wish_release(&warm->sets[i].wish);
    free(warm->sets);
    *warm = (struct package_warm){0};
}

static int take_lang(const char **at, size_t *length, enum run_lang *ret_lang, struct dc_err *err)
{
    const char *colon = memchr(*at, ':', *length);
    char name[16] = "";
    size_t n = colon ? (size_t)(colon - *at) : sizeof(name);

    if (n < sizeof(name)) {
        memcpy(name, *at, n);
        name[n] = '\0';
        name[strcspn(name, blanks)] = '\0';
    }
    if (!run_lang_from_name(name, ret_lang))
        return dc_fail(err, DC_INVALID, 0,
                       "'%.*s' does not begin with a language; write it as `python: numpy pandas; "
                       "node: lodash`",
                       (int)(*length < 60 ? *length : 60), *at);
    *length -= n + 1;
    *at += n + 1;
    return 0;
}

static int add_set(struct package_warm *warm, const char *at, size_t length, struct dc_err *err)
{
    struct package_warm_set *set = &warm->sets[warm->count];
    enum run_lang lang;
    const char *end = at + length;

    if (take_lang(&at, &length, &lang, err) < 0)
        return -err->code;
    if (warm->count == PACKAGE_WARM_MAX)
        return dc_fail(err, DC_LIMIT, 0, "more than %d sets", PACKAGE_WARM_MAX);
    set->lang = lang;
    package_wish_init(&set->wish, lang == RUN_PYTHON ? PACKAGE_PIP : PACKAGE_NPM);
    warm->count++;
    for (at += strspn(at, blanks); at < end; at += strspn(at, blanks)) {
        size_t n = strcspn(at, " \t\n;");

        if (at + n > end)
            n = (size_t)(end - at);
        if (package_wish_add(&set->wish, at, n, err) < 0)
            return dc_context(err, "'%.*s'", (int)(n < 60 ? n : 60), at);
        at += n;
    }
    return package_wish_settle(&set->wish, err);
}

int package_warm_parse(const char *text, struct package_warm *warm, struct dc_err *err)
{
    warm->sets = calloc(PACKAGE_WARM_MAX + 1, sizeof(*warm->sets));
    if (!warm->sets)
        return dc_fail(err, DC_KERNEL, ENOMEM, "warm list");
    for (text += strspn(text, "; \t\n"); *text; text += strspn(text, "; \t\n")) {
        size_t length = strcspn(text, ";");

        if (add_set(warm, text, length, err) < 0)
            return -err->code;
        text += length;
    }
    return 0;
}

int package_warm_up(struct packages *packages, const struct package_warm_set *set,
                    struct package_failure *failure, struct layer *ret_layer, struct dc_err *err)
{
    DC_AUTO(run_request_release) struct run_request request;
    struct package_asker asker = {
        .request = &request, .project = "warm list", .share = {1, PACKAGE_WARM_MAX}};
    struct engine_refusal refusal;
    const char *why;

    run_request_init(&request);
    request.has_lang = true;
    request.lang = set->lang;
    if (!packages_available(packages, set->wish.kind, &why))
        return dc_fail(err, DC_INVALID, 0, "%.200s", why);
    return packages_ensure(packages, &set->wish, &asker, ret_layer, failure, &refusal, err);
}
