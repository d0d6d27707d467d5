#include "packages/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

#include "base/poison.h"

enum { CONF_MAX_BYTES = 64 * 1024 };

static const char separators[] = ", \t";

void package_sources_release(struct package_sources *sources)
{
    dc_arena_release(&sources->arena);
    *sources = (struct package_sources){0};
}

static const char *keep(struct package_sources *sources, const char *text, size_t length)
{
    return dc_arena_copy(&sources->arena, text, length);
}

static int no_memory(struct dc_err *err)
{
    return dc_fail(err, DC_KERNEL, ENOMEM, "package sources");
}

/* host, host:port. */
static int add_host(struct package_sources *sources, enum package_kind kind, const char *text,
                    size_t length, uint16_t port, struct dc_err *err)
{
    struct package_source *source = &sources->of[kind];
    const char *colon = memchr(text, ':', length);
    struct package_host host = {.port = port};
    size_t name = colon ? (size_t)(colon - text) : length;

    if (colon) {
        char *end;
        unsigned long number = strtoul(colon + 1, &end, 10);

        if (number < 1 || number > UINT16_MAX || end != text + length)
            return dc_fail(err, DC_INVALID, 0, "'%.*s' has no good port", (int)length, text);
        host.port = (uint16_t)number;
    }
    if (!name)
        return dc_fail(err, DC_INVALID, 0, "'%.*s' is not a host", (int)length, text);
    host.name = keep(sources, text, name);
    if (!host.name)
        return no_memory(err);
    for (size_t i = 0; i < source->host_count; i++)
        if (strcmp(source->hosts[i].name, host.name) == 0 && source->hosts[i].port == host.port)
            return 0;
    if (source->host_count == PACKAGE_HOSTS_MAX)
        return dc_fail(err, DC_LIMIT, 0, "packages from more than %d hosts", PACKAGE_HOSTS_MAX);
    source->hosts[source->host_count++] = host;
    return 0;
}

static int add_hosts(struct package_sources *sources, enum package_kind kind, const char *list,
                     struct dc_err *err)
{
    for (list += strspn(list, separators); *list; list += strspn(list, separators)) {
        size_t length = strcspn(list, separators);

        if (add_host(sources, kind, list, length, 443, err) < 0)
            return -err->code;
        list += length;
    }
    return 0;
}

/* http://user:password@host:port/path: its host is one that packages come from. */
static int add_host_of(struct package_sources *sources, enum package_kind kind, const char *address,
                       struct dc_err *err)
{
    bool tls = strncmp(address, "https://", 8) == 0;
    const char *host = address + (tls ? 8 : 7);
    const char *at;
    size_t length;

    if (!tls && strncmp(address, "http://", 7) != 0)
        return dc_fail(err, DC_INVALID, 0, "an address that begins with '%.*s' is not one of http",
                       (int)strcspn(address, ":@/"), address); /* it may hold a password */
    length = strcspn(host, "/?#");
    at = memrchr(host, '@', length);
    if (at) {
        length -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    return add_host(sources, kind, host, length, tls ? 443 : 80, err);
}

static int set_index(struct package_sources *sources, enum package_kind kind, const char *address,
                     size_t length, struct dc_err *err)
{
    struct package_source *source = &sources->of[kind];

    source->index = keep(sources, address, length);
    if (!source->index)
        return no_memory(err);
    return add_host_of(sources, kind, source->index, err);
}

static int add_more(struct package_sources *sources, const char *list, struct dc_err *err)
{
    struct package_source *source = &sources->of[PACKAGE_PIP];

    for (list += strspn(list, separators); *list; list += strspn(list, separators)) {
        size_t length = strcspn(list, separators);
        const char *address = keep(sources, list, length);

        if (!address)
            return no_memory(err);
        if (source->more_count == PACKAGE_MORE_MAX)
            return dc_fail(err, DC_LIMIT, 0, "more than %d further indexes", PACKAGE_MORE_MAX);
        source->more[source->more_count++] = address;
        if (add_host_of(sources, PACKAGE_PIP, address, err) < 0)
            return -err->code;
        list += length;
    }
    return 0;
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* Only what belongs to a registry: "//host/path:key=value", "@scope:registry=address". */
static int add_npm_line(struct package_sources *sources, const char *text, size_t length,
                        struct dc_err *err)
{
    static const char scope[] = ":registry=";
    struct package_source *npm = &sources->of[PACKAGE_NPM];
    const char *line = keep(sources, text, length);
    const char *address;

    if (!line)
        return no_memory(err);
    address = line[0] == '@' ? strstr(line, scope) : NULL;
    if (!address && !(starts_with(line, "//") && strchr(line, ':') && strchr(line, '=')))
        return dc_fail(err, DC_INVALID, 0,
                       "a line for npm is neither //HOST/:KEY=VALUE nor @SCOPE:registry=URL");
    if (npm->line_count == PACKAGE_LINES_MAX)
        return dc_fail(err, DC_LIMIT, 0, "more than %d lines for npm", PACKAGE_LINES_MAX);
    npm->lines[npm->line_count++] = line;
    return address ? add_host_of(sources, PACKAGE_NPM, address + sizeof(scope) - 1, err) : 0;
}

static int add_npm_lines(struct package_sources *sources, const char *text, struct dc_err *err)
{
    static const char ends[] = ";\n\r";

    for (text += strspn(text, "; \t\r\n"); *text; text += strspn(text, "; \t\r\n")) {
        size_t length = strcspn(text, ends);

        if (add_npm_line(sources, text, length, err) < 0)
            return -err->code;
        text += length;
    }
    return 0;
}

/* One line; what the operator says himself is left alone. */
static int take_line(struct package_sources *sources, const char *key, const char *value,
                     const struct package_source_options *options, struct dc_err *err)
{
    struct package_source *pip = &sources->of[PACKAGE_PIP];
    struct package_source *npm = &sources->of[PACKAGE_NPM];
    bool own_index = options->pip_index && *options->pip_index;
    bool own_registry = options->npm_registry && *options->npm_registry;

    if (strcmp(key, "pip") == 0)
        pip->available = true;
    else if (strcmp(key, "npm") == 0)
        npm->available = true;
    else if (strcmp(key, "pip.index") == 0 && !own_index)
        return set_index(sources, PACKAGE_PIP, value, strlen(value), err);
    else if (strcmp(key, "pip.more") == 0 && !own_index)
        return add_more(sources, value, err);
    else if (strcmp(key, "pip.hosts") == 0 && !own_index)
        return add_hosts(sources, PACKAGE_PIP, value, err);
    else if (strcmp(key, "npm.registry") == 0 && !own_registry)
        return set_index(sources, PACKAGE_NPM, value, strlen(value), err);
    else if (strcmp(key, "npm.line") == 0 && !(options->npm_config && *options->npm_config))
        return add_npm_line(sources, value, strlen(value), err);
    else if (strcmp(key, "pip.cert") == 0)
        pip->cert = keep(sources, value, strlen(value));
    else if (strcmp(key, "npm.cert") == 0)
        npm->cert = keep(sources, value, strlen(value));
    return 0;
}

static int take_options(struct package_sources *sources,
                        const struct package_source_options *options, struct dc_err *err)
{
    if (options->pip_index && *options->pip_index &&
        set_index(sources, PACKAGE_PIP, options->pip_index, strlen(options->pip_index), err) < 0)
        return dc_context(err, "packages.pip_index");
    if (options->npm_registry && *options->npm_registry &&
        set_index(sources, PACKAGE_NPM, options->npm_registry, strlen(options->npm_registry), err) <
            0)
        return dc_context(err, "packages.npm_registry");
    if (options->npm_config && add_npm_lines(sources, options->npm_config, err) < 0)
        return dc_context(err, "packages.npm_config");
    for (int kind = 0; options->hosts && kind < PACKAGE_KINDS; kind++)
        if (add_hosts(sources, (enum package_kind)kind, options->hosts, err) < 0)
            return dc_context(err, "packages.hosts");
    return 0;
}

int package_sources_parse(const char *text, const struct package_source_options *options,
                          struct package_sources *ret_sources, struct dc_err *err)
{
    *ret_sources = (struct package_sources){0};
    while (*text) {
        size_t length = strcspn(text, "\n");
        char *line = dc_arena_copy(&ret_sources->arena, text, length);
        char *tab = line ? strchr(line, '\t') : NULL;

        if (!line)
            return no_memory(err);
        if (tab) {
            *tab = '\0';
            if (take_line(ret_sources, line, tab + 1, options, err) < 0)
                return dc_context(err, "installers.conf");
        }
        text += length + (text[length] == '\n');
    }
    return take_options(ret_sources, options, err);
}

int package_sources_read(const char *root, const struct package_source_options *options,
                         struct package_sources *ret_sources, struct dc_err *err)
{
    DC_AUTO(dc_free) char *text = calloc(1, CONF_MAX_BYTES);
    bool closed = false;
    char path[4096];

    *ret_sources = (struct package_sources){0};
    if (!text)
        return no_memory(err);
    (void)snprintf(path, sizeof(path), "%s/installers.conf", root);
    if (dc_read_file_at(AT_FDCWD, path, text, CONF_MAX_BYTES, err) < 0) {
        if (err->errnum != ENOENT && err->errnum != EACCES)
            return -err->code;
        closed = err->errnum == EACCES;
        text[0] = '\0'; /* none, or not for us: then there is nothing to install with */
    }
    if (package_sources_parse(text, options, ret_sources, err) < 0)
        return -err->code;
    ret_sources->closed = closed;
    return 0;
}
