/* The file of settings: whatever it holds, values are in range and a mistake is said. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/config.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DC_AUTO(config_release) struct config config;
    DC_AUTO(dc_free) char *text = malloc(size + 1);
    struct dc_err err = {0};

    config_init(&config);
    config.skip_secrets = true; /* no file is read because the input names it */
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (config_parse_file(&config, text, &err) < 0) {
        assert(err.code != DC_OK && err.text[0]);
        return 0;
    }
    for (unsigned i = 0; i < CONFIG_KEYS; i++) {
        const struct config_key *key = &config_keys[i];
        const struct config_value *value = &config.values[i];

        if (value->text && (key->type == CONFIG_NUMBER || key->type == CONFIG_CENTI))
            assert(value->number >= key->low && value->number <= key->high);
    }
    return 0;
}
