#include "api/policy_print.h"

#include "api/plan.h"

#include "base/poison.h"

static void print_number(const char *name, uint32_t value, enum policy_field field,
                         struct dc_buf *out)
{
    if (field == POLICY_CPUS_CENTI)
        (void)dc_buf_printf(out, "\"%s\":%u.%02u", name, value / 100, value % 100);
    else
        (void)dc_buf_printf(out, "\"%s\":%u", name, value);
}

/* The lower of the product's maximum and what operator, plan and project allow. */
static uint32_t most(const struct run_limits *limits, enum policy_field field, uint32_t memory_mb)
{
    uint32_t high = policy_range(field, memory_mb).high;
    uint32_t max = limits->ceiling[field].max;

    return max && max < high ? max : high;
}

static uint32_t lower(uint32_t one, uint32_t two)
{
    return one < two ? one : two;
}

void policy_print(const struct call *call, struct dc_buf *out)
{
    struct run_limits limits;
    uint32_t memory_max;
    uint32_t memory_default;

    plan_run_limits(call, &limits);
    memory_max = most(&limits, POLICY_MEMORY_MB, 0);
    memory_default = lower(policy_range(POLICY_MEMORY_MB, 0).fallback, memory_max);
    (void)dc_buf_text(out, ",\"policy\":{");
    for (int i = 0; i < POLICY_FIELDS; i++) {
        enum policy_field field = (enum policy_field)i;
        uint32_t max = most(&limits, field, memory_max);

        (void)dc_buf_printf(out, "%s\"%s\":{", i ? "," : "", policy_field_name(field));
        print_number("min", policy_range(field, memory_max).low, field, out);
        (void)dc_buf_byte(out, ',');
        print_number("max", max, field, out);
        (void)dc_buf_byte(out, ',');
        print_number("default", lower(policy_range(field, memory_default).fallback, max), field,
                     out);
        (void)dc_buf_byte(out, '}');
    }
    (void)dc_buf_byte(out, '}');
}
