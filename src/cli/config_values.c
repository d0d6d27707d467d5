#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/config_internal.h"

#include "base/poison.h"

enum { SECRET_MAX_BYTES = 1024 };

int config_fail_memory(struct dc_err *err)
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

bool config_split_listen(const char *text, char host[static 64], uint16_t *ret_port)
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
int config_expand_path(struct config *config, const char *text, const char **ret_path,
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
    return *ret_path ? 0 : config_fail_memory(err);
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
        return config_expand_path(config, text, &value->text, err);
    value->text = dc_arena_copy(&config->arena, text, strlen(text));
    if (!value->text)
        return config_fail_memory(err);
    switch (key->type) {
    case CONFIG_LISTEN_ADDRESS:
        if (!config_split_listen(text, host, &port))
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
int config_take_value(struct config *config, enum config_id id, const char *text,
                      enum config_source source, struct dc_err *err)
{
    if (config->values[id].text && config->values[id].source > source)
        return 0;
    config->values[id].source = source;
    return parse_value(config, id, text, err);
}

/* The first line of a file, for secrets that do not stand in environment or settings. */
int config_take_secret_file(struct config *config, enum config_id id, const char *path,
                            enum config_source source, struct dc_err *err)
{
    char secret[SECRET_MAX_BYTES];
    int result;

    if (config->skip_secrets)
        return 0;
    result = dc_read_file_at(AT_FDCWD, path, secret, sizeof(secret), err);
    if (result < 0 && config->before && (err->errnum == EACCES || err->errnum == EPERM)) {
        config->kept[id] = true;
        return config_take_value(config, id, config->before->values[id].text, source, err);
    }
    if (result == 0) {
        secret[strcspn(secret, "\r\n")] = '\0';
        result = secret[0] ? config_take_value(config, id, secret, source, err)
                           : dc_fail(err, DC_INVALID, 0, "'%.100s' is empty", path);
    }
    dc_wipe(secret, sizeof(secret));
    return result;
}

int config_set(struct config *config, enum config_id id, const char *text, struct dc_err *err)
{
    char flag[CONFIG_NAME_MAX];
    int result = config_keys[id].type == CONFIG_SECRET
                     ? config_take_secret_file(config, id, text, CONFIG_FROM_FLAG, err)
                     : config_take_value(config, id, text, CONFIG_FROM_FLAG, err);

    if (result < 0) {
        config_flag_name(id, flag, sizeof(flag));
        return dc_context(err, "--%s", flag);
    }
    return 0;
}

int config_set_file(struct config *config, const char *path, struct dc_err *err)
{
    return config_expand_path(config, path, &config->wanted_file, err);
}
