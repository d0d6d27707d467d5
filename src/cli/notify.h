/* Telling the service manager that we serve, as sd_notify(3) does. CLI process. */
#ifndef DOCLE_CLI_NOTIFY_H
#define DOCLE_CLI_NOTIFY_H

#include "base/error.h"

struct notify {
    int fd; /* -1: nobody wants to know */
};

/* Connects to $NOTIFY_SOCKET when it is set; call before rights are given up. */
DC_MUST int notify_open(struct notify *notify, struct dc_err *err);

/* Sends an assignment such as "READY=1"; a manager that does not listen is not our trouble. */
void notify_send(const struct notify *notify, const char *text);

void notify_release(struct notify *notify);

#endif
