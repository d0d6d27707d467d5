/* Questions of a resolver's client and the answers to them: as much of RFC 1035 as a stub needs.
 * Pure; questions are hostile. docle-egress. */
#ifndef DOCLE_EGRESS_DNS_MESSAGE_H
#define DOCLE_EGRESS_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

enum {
    DNS_MESSAGE_MAX_BYTES = 512, /* of what we send; more of a question is not looked at */
    DNS_TTL_S = 30,
};

enum dns_code {
    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5,
};

enum dns_type { DNS_TYPE_A = 1, DNS_TYPE_AAAA = 28 };

struct dns_question {
    uint16_t id;
    uint16_t type;
    bool recursion;                        /* was desired: said back */
    bool edns;                             /* it has an OPT record: so has the answer */
    enum dns_code code;                    /* other than NOERROR: answer this and no more */
    char name[DC_HOST_NAME_MAX_BYTES + 1]; /* lowered, no trailing dot; empty for the root, or
                                              when it has bytes that no host name has */
    size_t echo_length;                    /* of the question section, which the answer repeats */
    uint8_t echo[DC_HOST_NAME_MAX_BYTES + 8];
};

/* False: drop it, no answer is due (an answer itself, or too short for one). */
bool dns_question_parse(const uint8_t *bytes, size_t length, struct dns_question *ret_question);

/* Writes the answer; address (host order) is for DNS_NOERROR to a question of type A, 0 for none.
 * Returns its length. */
size_t dns_answer_build(const struct dns_question *question, enum dns_code code, uint32_t address,
                        uint8_t out[static DNS_MESSAGE_MAX_BYTES]);

#endif
