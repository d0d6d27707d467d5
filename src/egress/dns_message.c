#include "egress/dns_message.h"

#include <string.h>

#include "egress/host_rule.h"

#include "base/poison.h"

enum {
    HEAD_BYTES = 12,
    FLAG_ANSWER = 0x8000,
    FLAG_RECURSION_DESIRED = 0x0100,
    FLAG_RECURSION_AVAILABLE = 0x0080,
    OPCODE_MASK = 0x7800,
    CLASS_IN = 1,
    TYPE_OPT = 41,
    LABEL_MAX = 63,
    WIRE_NAME_MAX = 255,
    OPT_BYTES = 11,
    OPT_SIZE = 1232, /* what answers over UDP may be; ours are never longer than 512 */
};

static uint16_t get16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static size_t put16(uint8_t *out, unsigned value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
    return 2;
}

/* The name of a question is never compressed: there is nothing before it. Returns its length on the
 * wire, 0 when malformed. */
static size_t read_name(const uint8_t *bytes, size_t length, char *out)
{
    size_t at = 0;
    size_t written = 0;
    bool plain = true;

    for (;;) {
        size_t label;

        if (at >= length || at >= WIRE_NAME_MAX)
            return 0;
        label = bytes[at++];
        if (!label)
            break;
        if (label > LABEL_MAX || label > length - at || at + label >= WIRE_NAME_MAX)
            return 0;
        if (written)
            out[written++] = '.';
        for (size_t i = 0; i < label; i++) {
            char c = (char)bytes[at + i];

            plain &= c != '.' && c != '\0';
            out[written++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
        }
        at += label;
    }
    out[written] = '\0';
    if (!plain || (written && !host_name_valid(out)))
        out[0] = '\0';
    return at;
}

static bool has_opt(const uint8_t *bytes, size_t length)
{
    return length >= OPT_BYTES && bytes[0] == 0 && get16(bytes + 1) == TYPE_OPT;
}

bool dns_question_parse(const uint8_t *bytes, size_t length, struct dns_question *ret_question)
{
    char name[WIRE_NAME_MAX + 2];
    struct dns_question question = {0};
    uint16_t flags;
    size_t wire;

    if (length < HEAD_BYTES)
        return false;
    flags = get16(bytes + 2);
    if (flags & FLAG_ANSWER)
        return false;
    question.id = get16(bytes);
    question.recursion = flags & FLAG_RECURSION_DESIRED;
    question.code = flags & OPCODE_MASK ? DNS_NOTIMP : DNS_FORMERR;
    *ret_question = question;
    if (flags & OPCODE_MASK || get16(bytes + 4) != 1 || get16(bytes + 6))
        return true;
    wire = read_name(bytes + HEAD_BYTES, length - HEAD_BYTES, name);
    if (!wire || length - HEAD_BYTES - wire < 4)
        return true;
    question.type = get16(bytes + HEAD_BYTES + wire);
    question.echo_length = wire + 4;
    memcpy(question.echo, bytes + HEAD_BYTES, question.echo_length);
    memcpy(question.name, name, strlen(name) + 1);
    question.edns =
        has_opt(bytes + HEAD_BYTES + wire + 4, length - HEAD_BYTES - wire - 4) && get16(bytes + 10);
    question.code = get16(bytes + HEAD_BYTES + wire + 2) == CLASS_IN ? DNS_NOERROR : DNS_REFUSED;
    *ret_question = question;
    return true;
}

size_t dns_answer_build(const struct dns_question *question, enum dns_code code, uint32_t address,
                        uint8_t out[static DNS_MESSAGE_MAX_BYTES])
{
    bool answer = code == DNS_NOERROR && address && question->type == DNS_TYPE_A;
    size_t at = 0;

    at += put16(out + at, question->id);
    at += put16(out + at, FLAG_ANSWER | FLAG_RECURSION_AVAILABLE |
                              (question->recursion ? FLAG_RECURSION_DESIRED : 0u) | (unsigned)code);
    at += put16(out + at, question->echo_length ? 1 : 0);
    at += put16(out + at, answer);
    at += put16(out + at, 0);
    at += put16(out + at, question->edns);
    memcpy(out + at, question->echo, question->echo_length);
    at += question->echo_length;
    if (answer) {
        at += put16(out + at, 0xc000 | HEAD_BYTES); /* the question's name */
        at += put16(out + at, DNS_TYPE_A);
        at += put16(out + at, CLASS_IN);
        at += put16(out + at, 0);
        at += put16(out + at, DNS_TTL_S);
        at += put16(out + at, 4);
        at += put16(out + at, address >> 16);
        at += put16(out + at, address & 0xffff);
    }
    if (question->edns) {
        out[at++] = 0;
        at += put16(out + at, TYPE_OPT);
        at += put16(out + at, OPT_SIZE);
        memset(out + at, 0, 6);
        at += 6;
    }
    return at;
}
