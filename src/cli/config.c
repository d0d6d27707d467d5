#include "cli/config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/limits.h"

#include "base/poison.h"

enum { INI_LINE_MAX = 198, NAME_MAX_BYTES = 64, SECRET_MAX_BYTES = 1024 };

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

/* --- names ----------------------------------------------------------------------------------- */

static void translate(const char *name, char separator, bool upper, char *out, size_t size)
{
    size_t i = 0;

    for (; name[i] && i + 1 < size; i++) {
        char c = name[i] == '.' || name[i] == '_' ? separator : name[i];

        out[i] = upper ? (char)toupper((unsigned char)c) : c;
    }
    out[i] = '\0';
}

void config_env_name(enum config_id id, char *out, size_t size)
{
    (void)snprintf(out, size, "DOCLE_");
    translate(config_keys[id].name, '_', true, out + 6, size - 6);
}

void config_flag_name(enum config_id id, char *out, size_t size)
{
    translate(config_keys[id].name, '-', false, out, size);
    if (config_keys[id].type == CONFIG_SECRET)
        (void)snprintf(out + strlen(out), size - strlen(out), "-file");
}

enum config_id config_find(const char *name)
{
    for (unsigned i = 0; i < CONFIG_KEYS; i++)
        if (strcmp(config_keys[i].name, name) == 0)
            return (enum config_id)i;
    return CONFIG_KEYS;
}

/* Levenshtein's distance of short words; words that are longer are never near. */
static size_t distance(const char *one, const char *two)
{
    size_t row[NAME_MAX_BYTES + 1];
    size_t length = strlen(two);

    if (strlen(one) > NAME_MAX_BYTES || length > NAME_MAX_BYTES)
        return SIZE_MAX;
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; one[i - 1]; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t change = diagonal + (one[i - 1] != two[j - 1]);
            size_t least = row[j] < row[j - 1] ? row[j] : row[j - 1];

            diagonal = row[j];
            row[j] = least + 1 < change ? least + 1 : change;
        }
    }
    return row[length];
}

bool config_nearest(const char *word, const char *const *list, size_t count, const char **ret_near)
{
    size_t best = 4;

    for (size_t i = 0; i < count; i++) {
        size_t slips = distance(word, list[i]);

        if (slips < best && slips < strlen(list[i])) {
            best = slips;
            *ret_near = list[i];
        }
    }
    return best < 4;
}

static int fail_unknown(const char *kind, const char *name, const char *const *list, size_t count,
                        struct dc_err *err)
{
    const char *near;

    if (config_nearest(name, list, count, &near))
        return dc_fail(err, DC_INVALID, 0, "unknown %s '%.64s'; did you mean '%s'?", kind, name,
                       near);
    return dc_fail(err, DC_INVALID, 0, "unknown %s '%.64s'; docle.conf(5) lists them all", kind,
                   name);
}

/* --- values ---------------------------------------------------------------------------------- */

static int fail_memory(struct dc_err *err)
{
    return dc_fail(err, DC_KERNEL, ENOMEM, "settings");
}

/* "12", or with two places "1.5". */
static bool parse_scaled(const char *text, unsigned places, uint64_t *ret_value)
{
    uint64_t value = 0;
    bool digits = false;
    const char *at = text;

    for (; isdigit((unsigned char)*at) && at - text < 12; at++) {
        value = value * 10 + (uint64_t)(*at - '0');
        digits = true;
    }
    if (*at == '.' && places) {
        at++;
        for (; isdigit((unsigned char)*at) && places; at++, places--)
            value = value * 10 + (uint64_t)(*at - '0');
    }
    for (; places; places--)
        value *= 10;
    *ret_value = value;
    return digits && !*at;
}

static int parse_number(const struct config_key *key, const char *text, uint32_t *ret_value,
                        struct dc_err *err)
{
    bool centi = key->type == CONFIG_CENTI;
    uint64_t value;

    if (!parse_scaled(text, centi ? 2 : 0, &value) || value < key->low || value > key->high) {
        if (centi)
            return dc_fail(err, DC_INVALID, 0, "'%.40s' is not a number from %u.%02u to %u.%02u",
                           text, key->low / 100, key->low % 100, key->high / 100, key->high % 100);
        return dc_fail(err, DC_INVALID, 0, "'%.40s' is not a whole number from %u to %u", text,
                       key->low, key->high);
    }
    *ret_value = (uint32_t)value;
    return 0;
}

int config_parse_centi(const char *text, uint32_t max, uint32_t *ret_centi, struct dc_err *err)
{
    const struct config_key key = {.type = CONFIG_CENTI, .high = max};

    return parse_number(&key, text, ret_centi, err);
}

static int parse_choice(const struct config_key *key, const char *text, uint32_t *ret_index,
                        struct dc_err *err)
{
    const char *at = key->choices;

    for (uint32_t index = 0; *at; index++) {
        size_t length = strcspn(at, " ");

        if (strlen(text) == length && memcmp(text, at, length) == 0) {
            *ret_index = index;
            return 0;
        }
        at += length + (at[length] == ' ');
    }
    return dc_fail(err, DC_INVALID, 0, "'%.40s' is none of: %s", text, key->choices);
}

static bool split_listen(const char *text, char host[static 64], uint16_t *ret_port)
{
    const char *colon = strrchr(text, ':');
    bool brackets = text[0] == '[';
    size_t length = colon ? (size_t)(colon - text) : 0;
    uint64_t port;

    if (!colon || !parse_scaled(colon + 1, 0, &port) || port > UINT16_MAX)
        return false;
    if (brackets) {
        if (length < 3 || text[length - 1] != ']')
            return false;
        text++;
        length -= 2;
    }
    if (length == 0 || length > 63 || (!brackets && memchr(text, ':', length)))
        return false;
    memcpy(host, text, length);
    host[length] = '\0';
    *ret_port = (uint16_t)port;
    return true;
}

/* Absolute, with the home directory for "~": the server changes its directory. */
static int expand_path(struct config *config, const char *text, const char **ret_path,
                       struct dc_err *err)
{
    char path[CONFIG_TEXT_MAX];
    char here[CONFIG_TEXT_MAX / 2] = "";
    const char *home = getenv("HOME");
    int length;

    if (!text[0])
        return dc_fail(err, DC_INVALID, 0, "a path is needed");
    if (text[0] == '~' && (text[1] == '/' || !text[1]) && home)
        length = snprintf(path, sizeof(path), "%s%s", home, text + 1);
    else if (text[0] == '/')
        length = snprintf(path, sizeof(path), "%s", text);
    else if (!getcwd(here, sizeof(here)))
        return dc_fail_errno(err, "current directory");
    else
        length = snprintf(path, sizeof(path), "%s/%s", here, text);
    if (length < 0 || (size_t)length >= sizeof(path) / 2)
        return dc_fail(err, DC_INVALID, 0, "the path is too long");
    while (length > 1 && path[length - 1] == '/')
        path[--length] = '\0';
    *ret_path = dc_arena_copy(&config->arena, path, (size_t)length);
    return *ret_path ? 0 : fail_memory(err);
}

static int parse_value(struct config *config, enum config_id id, const char *text,
                       struct dc_err *err)
{
    const struct config_key *key = &config_keys[id];
    struct config_value *value = &config->values[id];
    char host[64];
    uint16_t port;

    if (strlen(text) >= CONFIG_TEXT_MAX)
        return dc_fail(err, DC_INVALID, 0, "longer than %d bytes", CONFIG_TEXT_MAX - 1);
    if (key->type == CONFIG_PATH)
        return expand_path(config, text, &value->text, err);
    value->text = dc_arena_copy(&config->arena, text, strlen(text));
    if (!value->text)
        return fail_memory(err);
    switch (key->type) {
    case CONFIG_LISTEN_ADDRESS:
        if (!split_listen(text, host, &port))
            return dc_fail(err, DC_INVALID, 0,
                           "'%.64s' is not HOST:PORT, such as 127.0.0.1:8787 or [::1]:8787", text);
        return 0;
    case CONFIG_NUMBER:
    case CONFIG_CENTI:
        return parse_number(key, text, &value->number, err);
    case CONFIG_CHOICE:
        return parse_choice(key, text, &value->number, err);
    case CONFIG_TEXT:
    case CONFIG_SECRET:
    case CONFIG_PATH:
        return 0;
    }
    return dc_fail(err, DC_BUG, 0, "type %d", (int)key->type);
}

/* Takes a value unless a stronger source has spoken. */
static int take_value(struct config *config, enum config_id id, const char *text,
                      enum config_source source, struct dc_err *err)
{
    if (config->values[id].text && config->values[id].source > source)
        return 0;
    config->values[id].source = source;
    return parse_value(config, id, text, err);
}

/* The first line of a file, for secrets that do not stand in environment or settings. */
static int take_secret_file(struct config *config, enum config_id id, const char *path,
                            enum config_source source, struct dc_err *err)
{
    char secret[SECRET_MAX_BYTES];
    int result;

    if (config->skip_secrets)
        return 0;
    result = dc_read_file_at(AT_FDCWD, path, secret, sizeof(secret), err);
    if (result == 0) {
        secret[strcspn(secret, "\r\n")] = '\0';
        result = secret[0] ? take_value(config, id, secret, source, err)
                           : dc_fail(err, DC_INVALID, 0, "'%.100s' is empty", path);
    }
    dc_wipe(secret, sizeof(secret));
    return result;
}

int config_set(struct config *config, enum config_id id, const char *text, struct dc_err *err)
{
    char flag[NAME_MAX_BYTES];
    int result = config_keys[id].type == CONFIG_SECRET
                     ? take_secret_file(config, id, text, CONFIG_FROM_FLAG, err)
                     : take_value(config, id, text, CONFIG_FROM_FLAG, err);

    if (result < 0) {
        config_flag_name(id, flag, sizeof(flag));
        return dc_context(err, "--%s", flag);
    }
    return 0;
}

int config_set_file(struct config *config, const char *path, struct dc_err *err)
{
    return expand_path(config, path, &config->wanted_file, err);
}

/* --- environment ----------------------------------------------------------------------------- */

/* True when name is key's variable; *ret_from_file for the variant that names a file. */
static bool env_matches(enum config_id id, const char *name, bool *ret_from_file)
{
    const struct config_key *key = &config_keys[id];
    char own[NAME_MAX_BYTES];
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
    char names[CONFIG_KEYS][NAME_MAX_BYTES];
    const char *list[CONFIG_KEYS];

    for (unsigned i = 0; i < CONFIG_KEYS; i++) {
        config_env_name((enum config_id)i, names[i], sizeof(names[i]));
        list[i] = names[i];
    }
    return fail_unknown("environment variable", name, list, CONFIG_KEYS, err);
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
        result = from_file ? take_secret_file(config, id, value, CONFIG_FROM_ENV, err)
                           : take_value(config, id, value, CONFIG_FROM_ENV, err);
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
        char name[NAME_MAX_BYTES + 1];
        size_t length = equals ? (size_t)(equals - *environment) : 0;

        if (length == 0 || length > NAME_MAX_BYTES)
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
    char base[NAME_MAX_BYTES];

    if (id == CONFIG_KEYS && length > 5 && length < sizeof(base) &&
        strcmp(name + length - 5, "_file") == 0) {
        (void)snprintf(base, sizeof(base), "%.*s", (int)length - 5, name);
        id = config_find(base);
        from_file = true;
    }
    if (id == CONFIG_KEYS || (from_file && config_keys[id].type != CONFIG_SECRET)) {
        for (unsigned i = 0; i < CONFIG_KEYS; i++)
            list[i] = config_keys[i].name;
        return fail_unknown("key", name, list, CONFIG_KEYS, err);
    }
    if (reading->seen[id])
        return dc_fail(err, DC_INVALID, 0, "'%s' is given twice", name);
    reading->seen[id] = true;
    if ((from_file ? take_secret_file(reading->config, id, value, CONFIG_FROM_FILE, err)
                   : take_value(reading->config, id, value, CONFIG_FROM_FILE, err)) < 0)
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
        return fail_memory(err);
    if (dc_read_file_at(AT_FDCWD, path, text, CONFIG_FILE_MAX_BYTES, err) < 0)
        return dc_context(err, "settings");
    if (config_parse_file(config, text, err) < 0)
        return dc_context(err, "%s", path);
    config->file = dc_arena_copy(&config->arena, path, strlen(path));
    return config->file ? 0 : fail_memory(err);
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
        return fail_memory(err);
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
            return fail_memory(err);
        if (take_value(config, id, text, CONFIG_FROM_DEFAULT, err) < 0)
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
    (void)split_listen(config->values[CONFIG_LISTEN].text, host, ret_port); /* checked when set */
}

bool config_changed(const struct config *one, const struct config *two, enum config_id id)
{
    return strcmp(one->values[id].text, two->values[id].text) != 0;
}
