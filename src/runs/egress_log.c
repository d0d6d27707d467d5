/* What a run tried on the network, as it stands in its result. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runs/egress_client.h"

#include "base/poison.h"

static const char *const verdict_names[EGRESS_VERDICTS] = {
    [EGRESS_ALLOWED] = "allowed",
    [EGRESS_DENIED_HOST] = "denied_host",
    [EGRESS_DENIED_PORT] = "denied_port",
    [EGRESS_DENIED_ADDRESS] = "denied_address",
    [EGRESS_SNI_MISMATCH] = "sni_mismatch",
    [EGRESS_HOST_MISMATCH] = "host_mismatch",
    [EGRESS_RESOLVE_FAILED] = "resolve_failed",
    [EGRESS_CONNECT_FAILED] = "connect_failed",
    [EGRESS_LIMIT] = "limit",
    [EGRESS_RELAY_LOST] = "relay_lost",
};

const char *egress_verdict_name(enum egress_verdict verdict)
{
    return verdict_names[verdict];
}

void egress_session_release(struct egress_session *session)
{
    for (size_t i = 0; i < session->count; i++)
        free(session->entries[i].host);
    free(session->entries);
    session->entries = NULL;
    session->count = 0;
}

bool egress_session_print(const struct egress_session *session, struct dc_buf *out)
{
    (void)dc_buf_text(out, "\"network\":[");
    for (size_t i = 0; i < session->count; i++) {
        const struct egress_entry *entry = &session->entries[i];

        (void)dc_buf_text(out, i ? ",{\"host\":" : "{\"host\":");
        (void)dc_buf_json_string(out, entry->host, strlen(entry->host));
        if (entry->port)
            (void)dc_buf_printf(out, ",\"port\":%u", entry->port);
        else
            (void)dc_buf_text(out, ",\"port\":null");
        (void)dc_buf_printf(out,
                            ",\"bytesIn\":%" PRIu64 ",\"bytesOut\":%" PRIu64 ",\"verdict\":\"%s\"}",
                            entry->bytes_in, entry->bytes_out, verdict_names[entry->verdict]);
    }
    (void)dc_buf_byte(out, ']');
    if (session->unlisted)
        (void)dc_buf_printf(out, ",\"networkUnlisted\":%" PRIu64, session->unlisted);
    return !out->failed;
}
