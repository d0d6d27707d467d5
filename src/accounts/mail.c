#include "accounts/mail.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/poison.h"

struct mail_transport {
    bool console;
};

struct mail_transport *mail_transport_console(void)
{
    struct mail_transport *transport = calloc(1, sizeof(*transport));

    if (transport)
        transport->console = true;
    return transport;
}

void mail_transport_free(struct mail_transport *transport)
{
    free(transport);
}

bool mail_transport_is_console(const struct mail_transport *transport)
{
    return transport->console;
}

int mail_transport_send(struct mail_transport *transport, const struct mail *mail,
                        struct dc_err *err)
{
    (void)transport;
    if (printf("Mail to %s: %s\n    %s\n", mail->recipient, mail->subject, mail->link) < 0 ||
        fflush(stdout) != 0)
        return dc_fail(err, DC_KERNEL, 0, "standard output is closed");
    return 0;
}
