/*
 * The services that the server calls, in a process of their own: HTTP (a meter such as Stripe's, a
 * sender of mails such as Resend, a host of repositories such as GitHub) and SMTP. They behave; it
 * is the calls on our side that fail. What they took is counted where the test can look.
 *
 *   POST /v1/billing/meter_events   takes each identifier once, says so when it comes again
 *   POST /emails                    takes a mail
 *   GET  /repos/…/commits/…         a commit's id
 *   GET  /repos/…/tarball/…         an archive with main.py and pkg/mod.py
 *   anything else                   200 and the body that came
 */
#ifndef DOCLE_TESTS_FAULT_PEER_H
#define DOCLE_TESTS_FAULT_PEER_H

#include <stdbool.h>

struct peer {
    unsigned http_port;
    unsigned smtp_port;
};

/* Before any thread. They end with this process. False: they could not be started. */
bool peer_start(struct peer *ret_peer);

/* How often something was taken as new under a name: a meter's event, mails to a recipient. */
unsigned peer_times(const char *name);
long peer_sum(void); /* of the values of all events */

#endif
