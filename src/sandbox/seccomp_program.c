#include "sandbox/seccomp_program.h"

#include <errno.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/auto.h"
#include "base/io.h"

#include "base/poison.h"

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#define X32_BIT 0x40000000u
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#define X32_BIT 0u
#else
#error "no seccomp architecture for this machine yet"
#endif

enum { RULES_MAX = 512, CODE_MAX = 2048 };

/* Numbers from `from` up to the next range's `from`, all with one answer. */
struct range {
    uint32_t from;
    struct seccomp_rule rule;
};

struct seccomp_program {
    size_t rule_count;
    struct seccomp_rule rules[RULES_MAX];
    size_t range_count;
    struct range ranges[2 * RULES_MAX + 1];
    size_t length;
    struct sock_filter code[CODE_MAX];
    /* Jumps to argument checks, patched once the checks are placed. */
    size_t jump_count;
    struct {
        size_t at;
        const struct seccomp_check *check;
    } jumps[RULES_MAX];
};

struct seccomp_program *seccomp_program_new(void)
{
    return calloc(1, sizeof(struct seccomp_program));
}

void seccomp_program_free(struct seccomp_program *program)
{
    free(program);
}

int seccomp_program_add(struct seccomp_program *program, const struct seccomp_rule *rule,
                        struct dc_err *err)
{
    if (program->rule_count == RULES_MAX || rule->nr < 0)
        return dc_fail(err, DC_BUG, 0, "seccomp rule %d", rule->nr);
    program->rules[program->rule_count++] = *rule;
    return 0;
}

static int by_number(const void *left, const void *right)
{
    const struct seccomp_rule *a = left;
    const struct seccomp_rule *b = right;

    return (a->nr > b->nr) - (a->nr < b->nr);
}

static bool same_answer(const struct seccomp_rule *a, const struct seccomp_rule *b)
{
    return a->kind == b->kind && a->errnum == b->errnum && a->check == b->check;
}

static void add_range(struct seccomp_program *program, uint32_t from,
                      const struct seccomp_rule *rule)
{
    size_t count = program->range_count;

    if (count && same_answer(&program->ranges[count - 1].rule, rule))
        return;
    program->ranges[program->range_count++] = (struct range){from, *rule};
}

static int make_ranges(struct seccomp_program *program, const struct seccomp_rule *otherwise,
                       struct dc_err *err)
{
    uint32_t next = 0;

    qsort(program->rules, program->rule_count, sizeof(program->rules[0]), by_number);
    for (size_t i = 0; i < program->rule_count; i++) {
        const struct seccomp_rule *rule = &program->rules[i];

        if ((uint32_t)rule->nr < next)
            return dc_fail(err, DC_BUG, 0, "two seccomp rules for call %d", rule->nr);
        if ((uint32_t)rule->nr > next)
            add_range(program, next, otherwise);
        add_range(program, (uint32_t)rule->nr, rule);
        next = (uint32_t)rule->nr + 1;
    }
    add_range(program, next, otherwise);
    return 0;
}

static size_t emit(struct seccomp_program *program, uint16_t code, uint32_t k, uint8_t jt,
                   uint8_t jf)
{
    if (program->length < CODE_MAX)
        program->code[program->length] = (struct sock_filter){code, jt, jf, k};
    return program->length++;
}

static void emit_return(struct seccomp_program *program, uint32_t action)
{
    (void)emit(program, BPF_RET | BPF_K, action, 0, 0);
}

static uint32_t answer_errno(int errnum)
{
    return SECCOMP_RET_ERRNO | ((uint32_t)errnum & SECCOMP_RET_DATA);
}

static void emit_leaf(struct seccomp_program *program, const struct seccomp_rule *rule)
{
    switch (rule->kind) {
    case SECCOMP_RULE_ALLOW:
        emit_return(program, SECCOMP_RET_ALLOW);
        break;
    case SECCOMP_RULE_ERRNO:
        emit_return(program, answer_errno(rule->errnum));
        break;
    case SECCOMP_RULE_CHECK:
        program->jumps[program->jump_count].check = rule->check;
        program->jumps[program->jump_count++].at = emit(program, BPF_JMP | BPF_JA, 0, 0, 0);
        break;
    }
}

/* Emits the search over ranges [first, last]. The left half follows its node; when it is longer
 * than a conditional jump reaches, an unconditional one helps out. */
static void emit_search(struct seccomp_program *program, size_t first, size_t last)
{
    size_t middle = first + (last - first + 1) / 2;
    size_t node;
    size_t left_length;

    if (first == last) {
        emit_leaf(program, &program->ranges[first].rule);
        return;
    }
    node = emit(program, BPF_JMP | BPF_JGE | BPF_K, program->ranges[middle].from, 0, 1);
    (void)emit(program, BPF_JMP | BPF_JA, 0, 0, 0);
    emit_search(program, first, middle - 1);
    left_length = program->length - node - 2;
    if (program->length < CODE_MAX)
        program->code[node + 1].k = (uint32_t)left_length;
    emit_search(program, middle, last);
}

static void emit_condition(struct seccomp_program *program, const struct seccomp_condition *c,
                           uint8_t skip)
{
    const uint32_t low_word = (uint32_t)offsetof(struct seccomp_data, args) + 8 * c->arg;

    (void)emit(program, BPF_LD | BPF_W | BPF_ABS, low_word, 0, 0);
    if (c->mask != 0xffffffff)
        (void)emit(program, BPF_ALU | BPF_AND | BPF_K, c->mask, 0, 0);
    (void)emit(program, BPF_JMP | BPF_JEQ | BPF_K, c->value, c->negate ? skip : 0,
               c->negate ? 0 : skip);
}

static size_t condition_length(const struct seccomp_condition *c)
{
    return c->mask != 0xffffffff ? 3 : 2;
}

/* One clause: each condition that fails jumps behind the clause's "allow". */
static void emit_clause(struct seccomp_program *program, const struct seccomp_clause *clause)
{
    size_t rest = 0;

    for (size_t i = 0; i < SECCOMP_CONDITIONS_MAX && clause->all[i].mask; i++)
        rest += condition_length(&clause->all[i]);
    for (size_t i = 0; i < SECCOMP_CONDITIONS_MAX && clause->all[i].mask; i++) {
        rest -= condition_length(&clause->all[i]);
        emit_condition(program, &clause->all[i], (uint8_t)(rest + 1));
    }
    emit_return(program, SECCOMP_RET_ALLOW);
}

static bool single_value(const struct seccomp_clause *clause)
{
    return clause->all[0].mask && !clause->all[1].mask && !clause->all[0].negate;
}

static bool same_argument(const struct seccomp_clause *a, const struct seccomp_clause *b)
{
    return single_value(a) && single_value(b) && a->all[0].arg == b->all[0].arg &&
           a->all[0].mask == b->all[0].mask;
}

/* A run of clauses that compare one argument with one value each loads it once. */
static void emit_check(struct seccomp_program *program, const struct seccomp_check *check)
{
    for (size_t i = 0; i < check->count; i++) {
        const struct seccomp_clause *clause = &check->clauses[i];

        if (i && same_argument(&check->clauses[i - 1], clause)) {
            (void)emit(program, BPF_JMP | BPF_JEQ | BPF_K, clause->all[0].value, 0, 1);
            emit_return(program, SECCOMP_RET_ALLOW);
        } else {
            emit_clause(program, clause);
        }
    }
    emit_return(program, answer_errno(check->errnum));
}

static void emit_prologue(struct seccomp_program *program)
{
    (void)emit(program, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
    (void)emit(program, BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0);
    emit_return(program, SECCOMP_RET_KILL_PROCESS);
    (void)emit(program, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    if (X32_BIT) {
        (void)emit(program, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
        emit_return(program, SECCOMP_RET_KILL_PROCESS);
    }
}

int seccomp_program_finish(struct seccomp_program *program, enum seccomp_default otherwise,
                           const void **ret_code, size_t *ret_bytes, struct dc_err *err)
{
    static const struct seccomp_rule fallbacks[] = {
        [SECCOMP_DEFAULT_ENOSYS] = {.kind = SECCOMP_RULE_ERRNO, .errnum = ENOSYS},
        [SECCOMP_DEFAULT_EPERM] = {.kind = SECCOMP_RULE_ERRNO, .errnum = EPERM},
        [SECCOMP_DEFAULT_ALLOW] = {.kind = SECCOMP_RULE_ALLOW},
    };

    if (make_ranges(program, &fallbacks[otherwise], err) < 0)
        return -err->code;
    emit_prologue(program);
    emit_search(program, 0, program->range_count - 1);
    for (size_t i = 0; i < program->jump_count && program->length < CODE_MAX; i++) {
        size_t at = program->jumps[i].at;

        program->code[at].k = (uint32_t)(program->length - at - 1);
        emit_check(program, program->jumps[i].check);
    }
    if (program->length > CODE_MAX)
        return dc_fail(err, DC_BUG, 0, "seccomp program of %zu instructions", program->length);
    *ret_code = program->code;
    *ret_bytes = program->length * sizeof(program->code[0]);
    return 0;
}

int seccomp_program_export(struct seccomp_program *program, enum seccomp_default otherwise,
                           int *ret_fd, struct dc_err *err)
{
    DC_AUTO(dc_close) int fd = memfd_create("seccomp", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t bytes;
    const void *code;

    if (fd < 0)
        return dc_fail_errno(err, "memfd_create");
    if (seccomp_program_finish(program, otherwise, &code, &bytes, err) < 0 ||
        dc_write_all(fd, code, bytes, err) < 0)
        return dc_context(err, "seccomp program");
    *ret_fd = dc_take_fd(&fd);
    return 0;
}
