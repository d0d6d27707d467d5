#include "api/account_print.h"

#include <string.h>

#include "base/clock.h"

#include "base/poison.h"

void print_member_text(struct dc_buf *out, const char *name, const char *text)
{
    (void)dc_buf_printf(out, "\"%s\":", name);
    (void)dc_buf_json_string(out, text, strlen(text));
    (void)dc_buf_byte(out, ',');
}

void print_member_time(struct dc_buf *out, const char *name, int64_t wall_ns)
{
    char text[25];

    if (wall_ns) {
        dc_format_iso8601(wall_ns, text);
        (void)dc_buf_printf(out, "\"%s\":\"%s\",", name, text);
    } else {
        (void)dc_buf_printf(out, "\"%s\":null,", name);
    }
}

void print_user(const struct store_user *user, struct dc_buf *out)
{
    (void)dc_buf_byte(out, '{');
    print_member_text(out, "id", user->id);
    print_member_text(out, "email", user->email);
    print_member_text(out, "name", user->name);
    print_member_time(out, "created_at", user->created_at);
    (void)dc_buf_printf(out, "\"operator\":%s}", user->operator? "true" : "false");
}

void print_membership(const struct store_member *member, struct dc_buf *out)
{
    (void)dc_buf_byte(out, '{');
    print_member_text(out, "id", member->project_id);
    print_member_text(out, "name", member->project_name);
    print_member_time(out, "created_at", member->project_created_at);
    (void)dc_buf_printf(out, "\"role\":\"%s\"}", member->role);
}
