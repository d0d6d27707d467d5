#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "cli/config_internal.h"

#include "base/poison.h"

enum { INI_LINE_MAX = 198 };

static const char system_file[] = "/etc/docle/docle.conf";

/* Names that belong to clients and to tests, and are no settings. */
static const char *const foreign_names[] = {"DOCLE_API_KEY", "DOCLE_ENDPOINT", "DOCLE_MUST_WORK",
                                            "DOCLE_CONFIG"};

void config_init(struct config *config)
{
    *config = (struct config){0};
}

void config_release(struct config *config)
{
    if (config)
        dc_arena_release(&config->arena);
}

/* --- environment ----------------------------------------------------------------------------- */

/* True when name is key's variable; *ret_from_file for the variant that names a file. */
static bool env_matches(enum config_id id, const char *name, bool *ret_from_file)
{
    const struct config_key *key = &config_keys[id];
    char own[CONFIG_NAME_MAX];
    size_t length;

    *ret_from_file = false;
    if (key->alias && strcmp(key->alias, name) == 0)
        return true;
    if (key->alias && key->type == CONFIG_SECRET &&
        strncmp(name, key->alias, strlen(key->alias)) == 0 &&
        strcmp(name + strlen(key->alias), "_FILE") == 0) {
        *ret_from_file = true;
        return true;
    }
    config_env_name(id, own, sizeof(own));
    length = strlen(own);
    if (strncmp(own, name, length) != 0)
        return false;
    *ret_from_file = key->type == CONFIG_SECRET && strcmp(name + length, "_FILE") == 0;
    return *ret_from_file || !name[length];
}

static int fail_unknown_env(const char *name, struct dc_err *err)
{
    char names[CONFIG_KEYS][CONFIG_NAME_MAX];
    const char *list[CONFIG_KEYS];

    for (unsigned i = 0; i < CONFIG_KEYS; i++) {
        config_env_name((enum config_id)i, names[i], sizeof(names[i]));
        list[i] = names[i];
    }
    return config_fail_unknown("environment variable", name, list, CONFIG_KEYS, err);
}

static bool is_foreign(const char *name)
{
    for (size_t i = 0; i < sizeof(foreign_names) / sizeof(foreign_names[0]); i++)
        if (strcmp(foreign_names[i], name) == 0)
            return true;
    return strncmp(name, "DOCLE_TEST_", 11) == 0;
}

static int take_env(struct config *config, const char *name, const char *value, struct dc_err *err)
{
    bool from_file;

    for (unsigned i = 0; i < CONFIG_KEYS; i++) {
        enum config_id id = (enum config_id)i;
        int result;

        if (!env_matches(id, name, &from_file))
            continue;
        result = from_file ? config_take_secret_file(config, id, value, CONFIG_FROM_ENV, err)
                           : config_take_value(config, id, value, CONFIG_FROM_ENV, err);
        return result < 0 ? dc_context(err, "environment variable %s", name) : 0;
    }
    if (strncmp(name, "DOCLE_", 6) == 0 && !is_foreign(name))
        return fail_unknown_env(name, err);
    return 0;
}

static int load_environment(struct config *config, char *const *environment, struct dc_err *err)
{
    for (; *environment; environment++) {
        const char *equals = strchr(*environment, '=');
        char name[CONFIG_NAME_MAX + 1];
        size_t length = equals ? (size_t)(equals - *environment) : 0;

        if (length == 0 || length > CONFIG_NAME_MAX)
            continue;
        memcpy(name, *environment, length);
        name[length] = '\0';
        if (strcmp(name, "DOCLE_CONFIG") == 0 && !config->wanted_file &&
            config_set_file(config, equals + 1, err) < 0)
            return dc_context(err, "environment variable DOCLE_CONFIG");
        if (take_env(config, name, equals + 1, err) < 0)
            return -err->code;
    }
    return 0;
}

/* --- file ------------------------------------------------------------------------------------ */

struct file_reading {
    struct config *config;
    bool seen[CONFIG_KEYS];
    struct dc_err *err; /* holds the first mistake once failed */
    bool failed;
};

static int take_line(struct file_reading *reading, const char *name, const char *value)
{
    struct dc_err *err = reading->err;
    enum config_id id = config_find(name);
    size_t length = strlen(name);
    bool from_file = false;
    const char *list[CONFIG_KEYS];
    char base[CONFIG_NAME_MAX];

    if (id == CONFIG_KEYS && length > 5 && length < sizeof(base) &&
        strcmp(name + length - 5, "_file") == 0) {
        (void)snprintf(base, sizeof(base), "%.*s", (int)length - 5, name);
        id = config_find(base);
        from_file = true;
    }
    if (id == CONFIG_KEYS || (from_file && config_keys[id].type != CONFIG_SECRET)) {
        for (unsigned i = 0; i < CONFIG_KEYS; i++)
            list[i] = config_keys[i].name;
        return config_fail_unknown("key", name, list, CONFIG_KEYS, err);
    }
    if (reading->seen[id])
        return dc_fail(err, DC_INVALID, 0, "'%s' is given twice", name);
    reading->seen[id] = true;
    if ((from_file ? config_take_secret_file(reading->config, id, value, CONFIG_FROM_FILE, err)
                   : config_take_value(reading->config, id, value, CONFIG_FROM_FILE, err)) < 0)
        return dc_context(err, "%s", name);
    return 0;
}

/* inih's callback: 0 means an error. */
static int on_ini(void *context, const char *section, const char *name, const char *value)
{
    struct file_reading *reading = context;
    char full[2 * INI_LINE_MAX];

    if (reading->failed)
        return 0;
    (void)snprintf(full, sizeof(full), "%s%s%s", section, section[0] ? "." : "", name);
    reading->failed = take_line(reading, full, value) < 0;
    return !reading->failed;
}

/* inih cuts long lines and goes on with the rest as a line of its own. */
static int check_lines(const char *text, struct dc_err *err)
{
    for (int line = 1; *text; line++) {
        size_t length = strcspn(text, "\n");

        if (length > INI_LINE_MAX)
            return dc_fail(err, DC_INVALID, 0, "line %d is longer than %d characters", line,
                           INI_LINE_MAX);
        text += length + (text[length] == '\n');
    }
    return 0;
}

int config_parse_file(struct config *config, const char *text, struct dc_err *err)
{
    struct file_reading reading = {.config = config, .err = err};
    int line;

    if (check_lines(text, err) < 0)
        return -err->code;
    line = ini_parse_string(text, on_ini, &reading);
    if (line == 0)
        return 0;
    if (reading.failed)
        return dc_context(err, "line %d", line);
    return dc_fail(err, DC_INVALID, 0, "line %d is neither [section] nor key = value", line);
}

static int load_file(struct config *config, struct dc_err *err)
{
    const char *path = config->wanted_file ? config->wanted_file : system_file;
    DC_AUTO(dc_free) char *text = NULL;

    if (!config->wanted_file && access(path, F_OK) < 0 && errno == ENOENT)
        return 0;
    text = malloc(CONFIG_FILE_MAX_BYTES);
    if (!text)
        return config_fail_memory(err);
    if (dc_read_file_at(AT_FDCWD, path, text, CONFIG_FILE_MAX_BYTES, err) < 0)
        return dc_context(err, "settings");
    if (config_parse_file(config, text, err) < 0)
        return dc_context(err, "%s", path);
    config->file = dc_arena_copy(&config->arena, path, strlen(path));
    return config->file ? 0 : config_fail_memory(err);
}

/* --- defaults -------------------------------------------------------------------------------- */

const char *config_default_text(enum config_id id, struct dc_arena *arena)
{
    const char *home = getenv("HOME");
    const char *folder = id == CONFIG_ROOT_DIR ? "root" : "data";
    char path[1024];

    if (config_keys[id].fallback)
        return config_keys[id].fallback;
    if (geteuid() == 0 || !home || !home[0])
        (void)snprintf(path, sizeof(path), "/var/lib/docle/%s", folder);
    else
        (void)snprintf(path, sizeof(path), "%s/.local/share/docle/%s", home, folder);
    return dc_arena_copy(arena, path, strlen(path));
}

/* On another port the links in mails would otherwise lead nowhere. */
static int follow_port(struct config *config, struct dc_err *err)
{
    char host[64];
    char url[64];
    const char *kept;
    uint16_t port;

    if (config->values[CONFIG_APP_URL].source != CONFIG_FROM_DEFAULT)
        return 0;
    config_listen(config, host, &port);
    if (!port) /* the kernel's choice is not known yet */
        return 0;
    (void)snprintf(url, sizeof(url), "http://localhost:%u", (unsigned)port);
    kept = dc_arena_copy(&config->arena, url, strlen(url));
    if (!kept)
        return config_fail_memory(err);
    config->values[CONFIG_APP_URL].text = kept;
    return 0;
}

int config_load(struct config *config, char *const *environment, struct dc_err *err)
{
    if (load_environment(config, environment, err) < 0 || load_file(config, err) < 0)
        return -err->code;
    for (unsigned i = 0; i < CONFIG_KEYS; i++) {
        enum config_id id = (enum config_id)i;
        const char *text;

        if (config->values[id].text)
            continue;
        text = config_default_text(id, &config->arena);
        if (!text)
            return config_fail_memory(err);
        if (config_take_value(config, id, text, CONFIG_FROM_DEFAULT, err) < 0)
            return dc_context(err, "default of %s", config_keys[id].name);
    }
    return follow_port(config, err);
}

/* --- reading --------------------------------------------------------------------------------- */

const char *config_text_or_null(const struct config *config, enum config_id id)
{
    const char *text = config->values[id].text;

    return text && text[0] ? text : NULL;
}

void config_listen(const struct config *config, char host[static 64], uint16_t *ret_port)
{
    (void)config_split_listen(config->values[CONFIG_LISTEN].text, host,
                              ret_port); /* checked when set */
}

bool config_changed(const struct config *one, const struct config *two, enum config_id id)
{
    return strcmp(one->values[id].text, two->values[id].text) != 0;
}
