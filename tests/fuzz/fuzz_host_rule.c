/* Entries of allowedHosts, and the operator's list of exceptions. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "egress/host_rule.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct host_exceptions exceptions;
    struct egress_rule rule;
    struct egress_rule again;
    char text[2048];
    char printed[DC_HOST_NAME_MAX_BYTES + 12];
    uint32_t notes;
    struct dc_err err;

    if (host_rule_parse((const char *)data, size, &rule, &notes, &err) == 0) {
        assert(rule.kind == EGRESS_RULE_ANY ? !rule.name[0] : host_name_valid(rule.name));
        host_rule_print(&rule, printed);
        assert(host_rule_parse(printed, strlen(printed), &again, &notes, &err) == 0);
        assert(again.kind == rule.kind && again.port == rule.port);
        assert(strcmp(again.name, rule.name) == 0);
    }
    if (size < sizeof(text)) {
        memcpy(text, data, size);
        text[size] = '\0';
        dc_ignore(host_exceptions_parse(text, &exceptions, &err)); /* good or bad, but no crash */
    }
    return 0;
}
