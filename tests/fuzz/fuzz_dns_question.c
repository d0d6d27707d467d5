/* What a run sends to the stub, and our answers to it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "egress/dns_message.h"
#include "egress/host_rule.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_code codes[] = {DNS_NOERROR, DNS_NXDOMAIN, DNS_SERVFAIL};
    uint8_t answer[DNS_MESSAGE_MAX_BYTES];
    struct dns_question question;

    if (!dns_question_parse(data, size, &question))
        return 0;
    assert(!question.name[0] || host_name_valid(question.name));
    assert(question.echo_length <= size && question.echo_length <= sizeof(question.echo));
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        size_t length = dns_answer_build(&question, codes[i], 0xc6120001, answer);

        assert(length >= 12 && length <= sizeof(answer));
        assert(answer[2] & 0x80 && memcmp(answer, data, 2) == 0);
    }
    return 0;
}
