/* How settings look: for `docle config` and for the manual. */
#include <stdio.h>
#include <string.h>

#include "cli/config.h"

#include "base/poison.h"

static const char *const source_names[] = {
    [CONFIG_FROM_DEFAULT] = "default",
    [CONFIG_FROM_FILE] = "file",
    [CONFIG_FROM_ENV] = "environment",
    [CONFIG_FROM_FLAG] = "flag",
};

const char *config_default_described(enum config_id id)
{
    if (id == CONFIG_DATA_DIR)
        return "/var/lib/docle/data as root, else ~/.local/share/docle/data";
    if (id == CONFIG_ROOT_DIR)
        return "/var/lib/docle/root as root, else ~/.local/share/docle/root";
    return config_keys[id].fallback[0] ? config_keys[id].fallback : "empty";
}

static const char *shown_text(const struct config *config, enum config_id id)
{
    const char *text = config_text(config, id);

    return config_keys[id].type == CONFIG_SECRET && text[0] ? "(set)" : text;
}

static void print_json(const struct config *config, struct dc_buf *out)
{
    dc_buf_text(out, "{\"file\":");
    if (config->file)
        dc_buf_json_string(out, config->file, strlen(config->file));
    else
        dc_buf_text(out, "null");
    dc_buf_text(out, ",\"settings\":{");
    for (unsigned i = 0; i < CONFIG_KEYS; i++) {
        enum config_id id = (enum config_id)i;
        const char *text = shown_text(config, id);
        bool number = config_keys[id].type == CONFIG_NUMBER;

        dc_buf_printf(out, "%s\"%s\":{\"value\":", i ? "," : "", config_keys[id].name);
        if (number)
            dc_buf_printf(out, "%u", config_number(config, id));
        else
            dc_buf_json_string(out, text, strlen(text));
        dc_buf_printf(out, ",\"source\":\"%s\"}", source_names[config->values[id].source]);
    }
    dc_buf_text(out, "}}\n");
}

/* The section of a key's name: "" or what stands before the dot. */
static int section_length(const char *name)
{
    const char *dot = strchr(name, '.');

    return dot ? (int)(dot - name) : 0;
}

void config_print(const struct config *config, bool json, struct dc_buf *out)
{
    const char *section = "";
    int length = 0;

    if (json) {
        print_json(config, out);
        return;
    }
    dc_buf_printf(out, "; file: %s\n", config->file ? config->file : "none");
    for (unsigned i = 0; i < CONFIG_KEYS; i++) {
        enum config_id id = (enum config_id)i;
        const char *name = config_keys[id].name;
        int own = section_length(name);

        if (own != length || strncmp(section, name, (size_t)own) != 0)
            dc_buf_printf(out, "\n[%.*s]\n", own, name);
        section = name;
        length = own;
        dc_buf_printf(out, "%s = %s", name + (own ? own + 1 : 0), shown_text(config, id));
        dc_buf_printf(out, " ; %s\n", source_names[config->values[id].source]);
    }
}

static void mdoc_text(struct dc_buf *out, const char *text)
{
    /* A dot at the start of a line would be a macro; backslashes are escapes. */
    if (text[0] == '.')
        dc_buf_text(out, "\\&");
    for (; *text; text++) {
        if (*text == '\\')
            dc_buf_text(out, "\\e");
        else
            dc_buf_byte(out, *text);
        if (*text == '.' && text[1] == ' ') {
            dc_buf_byte(out, '\n'); /* sentences start on lines of their own */
            text++;
        }
    }
    dc_buf_byte(out, '\n');
}

void config_print_mdoc(struct dc_buf *out)
{
    char env[64];
    char flag[64];

    for (unsigned i = 0; i < CONFIG_KEYS; i++) {
        enum config_id id = (enum config_id)i;
        const struct config_key *key = &config_keys[id];

        config_env_name(id, env, sizeof(env));
        config_flag_name(id, flag, sizeof(flag));
        dc_buf_printf(out, ".It Cm %s Ns = Ns Ar %s\n", key->name, key->argument);
        mdoc_text(out, key->help);
        if (key->type == CONFIG_NUMBER)
            dc_buf_printf(out, "Range: %u to %u.\n", key->low, key->high);
        dc_buf_printf(out, "Default: %s.\n", config_default_described(id));
        dc_buf_printf(out, "Also\n.Ev %s ", env);
        if (key->alias)
            dc_buf_printf(out, ",\n.Ev %s ", key->alias);
        if (key->type == CONFIG_SECRET)
            dc_buf_printf(out, ",\n.Ev %s_FILE ,\n.Cm %s_file ", env, key->name);
        if (key->type == CONFIG_SECRET && key->alias)
            dc_buf_printf(out, ",\n.Ev %s_FILE ", key->alias);
        dc_buf_printf(out, "and\n.Fl -%s .\n", flag);
        if (key->reload)
            dc_buf_text(out, "Read again on\n.Dv SIGHUP .\n");
    }
}
