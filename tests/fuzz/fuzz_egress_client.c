/*
 * The API process under a hostile relay: any messages, in any order, on a real link, and deaths of
 * the relay. Whatever it does, each session is closed once, its log is bounded and prints as JSON,
 * and nothing stays open.
 *
 * The input is a list of operations, one byte each, with what they take behind them.
 */
#include <assert.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "proto/link.h"
#include "runs/egress_client.h"

#include "base/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SESSIONS = 4, OPERATIONS_MAX = 400 };

struct one {
    struct egress_session session;
    bool open;
    bool ended;
};

struct world {
    uv_loop_t loop;
    struct launcher_keeper keeper;
    int keeper_fd; /* the keeper's end */
    int link_fd;   /* the relay's end; -1: none */
    struct egress_client *client;
    struct one sessions[SESSIONS];
};

struct input {
    const uint8_t *at;
    size_t left;
};

static uint8_t take(struct input *input)
{
    if (!input->left)
        return 0;
    input->left--;
    return *input->at++;
}

static void take_bytes(struct input *input, void *out, size_t size)
{
    size_t n = size < input->left ? size : input->left;

    memcpy(out, input->at, n);
    memset((char *)out + n, 0, size - n);
    input->at += n;
    input->left -= n;
}

static void on_closed(struct egress_session *session)
{
    struct one *one = (struct one *)session;
    struct dc_buf json;
    json_t *tree;

    assert(one->open && one->ended);
    one->open = one->ended = false;
    assert(session->count <= DC_NET_LOG_MAX + 1);
    dc_buf_init(&json, 8 << 20);
    assert(dc_buf_byte(&json, '{') && egress_session_print(session, &json));
    assert(dc_buf_byte(&json, '}'));
    tree = json_loads(dc_buf_str(&json), 0, NULL);
    assert(tree && json_array_size(json_object_get(tree, "network")) == session->count);
    json_decref(tree);
    dc_buf_release(&json);
    egress_session_release(session);
}

/* What the client says is well-formed; a relay that was started anew has a new link. */
static void hear(struct world *world)
{
    struct link_message message;
    struct dc_err err;

    while (link_receive(world->keeper_fd, &message, &err) == 0) {
        dc_close(world->link_fd);
        world->link_fd = link_message_take_fd(&message, 0);
        (void)fcntl(world->link_fd, F_SETFL, O_NONBLOCK);
        link_message_release(&message);
    }
    while (world->link_fd >= 0 && link_receive(world->link_fd, &message, &err) == 0) {
        assert(message.header.type >= EGRESS_OPEN && message.header.type <= EGRESS_CLOSE);
        link_message_release(&message);
    }
}

static void turn(struct world *world)
{
    (void)uv_run(&world->loop, UV_RUN_NOWAIT);
    hear(world);
}

static void begin(struct world *world, struct one *one)
{
    static const struct host_policy policy = {
        .rules = {{.kind = EGRESS_RULE_EXACT, .name = "a.example"}},
        .rule_count = 1,
        .ports = {443},
        .port_count = 1,
    };
    struct dc_err err;
    int fd;

    if (one->open)
        return;
    one->session = (struct egress_session){.closed = on_closed};
    if (egress_client_begin(world->client, &policy, &one->session, &fd, &err) < 0)
        return;
    dc_close(fd);
    one->open = true;
}

static void end(struct one *one)
{
    if (!one->open || one->ended)
        return;
    one->ended = true;
    egress_client_end(&one->session);
}

/* A message of a known kind about a session that there is, with the rest as the input says; or any
 * bytes. */
static void say(struct world *world, struct input *input)
{
    static const size_t lengths[] = {0,
                                     sizeof(struct dc_err),
                                     0,
                                     0,
                                     0,
                                     sizeof(struct egress_attempt),
                                     sizeof(struct egress_closed)};
    uint8_t body[512];
    uint8_t kind = take(input);
    size_t length = kind & 0x80 ? take(input) : lengths[kind % 7];
    uint64_t session = world->sessions[take(input) % SESSIONS].session.id;
    struct dc_err err;

    take_bytes(input, body, sizeof(body));
    if (!(kind & 0x40) && length >= sizeof(session))
        memcpy(body, &session, sizeof(session));
    if (world->link_fd >= 0)
        dc_ignore(link_send(world->link_fd, (uint8_t)(EGRESS_READY + kind % 8), body, length, NULL,
                            0, &err)); /* it may have hung up */
}

static void operate(struct world *world, struct input *input)
{
    uint8_t operation = take(input);
    struct one *one = &world->sessions[operation >> 4 & (SESSIONS - 1)];
    struct dc_err err;

    switch (operation & 7) {
    case 0:
        begin(world, one);
        break;
    case 1:
        end(one);
        break;
    case 2:
        dc_close_clear(&world->link_fd); /* it dies */
        break;
    case 3:
        if (world->link_fd >= 0)
            dc_ignore(link_send(world->link_fd, EGRESS_READY, NULL, 0, NULL, 0, &err));
        break;
    default:
        say(world, input);
        break;
    }
    if (operation & 8)
        turn(world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world = {.keeper_fd = -1, .link_fd = -1};
    struct input input = {data, size};
    struct egress_limits limits = {0};
    struct dc_err err;
    int ends[2];

    dc_log_setup("fuzz", DC_LOG_OFF);
    assert(uv_loop_init(&world.loop) == 0 && link_pair(ends, &err) == 0);
    world.keeper.fd = ends[0];
    world.keeper_fd = ends[1];
    (void)fcntl(world.keeper_fd, F_SETFL, O_NONBLOCK);
    assert(egress_client_open(&world.loop, &world.keeper, &limits, &world.client, &err) == 0);
    hear(&world);
    for (int i = 0; i < OPERATIONS_MAX && input.left; i++)
        operate(&world, &input);
    for (size_t i = 0; i < SESSIONS; i++)
        end(&world.sessions[i]);
    dc_close_clear(&world.link_fd); /* dead: what was not closed is now */
    turn(&world);
    for (size_t i = 0; i < SESSIONS; i++)
        assert(!world.sessions[i].open);
    egress_client_close(world.client, NULL, NULL);
    (void)uv_run(&world.loop, UV_RUN_DEFAULT);
    assert(uv_loop_close(&world.loop) == 0);
    dc_close(ends[0]);
    dc_close(ends[1]);
    dc_close(world.link_fd);
    return 0;
}
