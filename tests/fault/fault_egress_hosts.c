/* See the header. */
#include "fault_egress_hosts.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct sockaddr_in address_at(uint32_t address, uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(address)}};
}

int socket_at(int type, uint32_t address, uint16_t port)
{
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    struct sockaddr_in where = address_at(address, port);
    const int one = 1;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(fd, (struct sockaddr *)&where, sizeof(where)) < 0 ||
        (type == SOCK_STREAM && listen(fd, 16) < 0)) {
        perror("a socket of the test");
        exit(1);
    }
    return fd;
}

/* Every name has 127.0.0.1, and no IPv6. */
static void serve_names(int fd)
{
    static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1};

    for (;;) {
        uint8_t bytes[1024] = {0};
        struct sockaddr_in from;
        socklen_t size = sizeof(from);
        ssize_t n = recvfrom(fd, bytes, 512, 0, (struct sockaddr *)&from, &size);
        size_t end = 12;
        bool v4;

        if (n < 17)
            continue;
        while (end < 300 && bytes[end])
            end += 1u + bytes[end];
        v4 = bytes[end + 2] == 1;
        end += 5;
        memcpy(bytes + 2, (const uint8_t[]){0x81, 0x80, 0, 1, 0, v4, 0, 0, 0, 0}, 10);
        memcpy(bytes + end, record, sizeof(record));
        (void)sendto(fd, bytes, end + (v4 ? sizeof(record) : 0), 0, (struct sockaddr *)&from, size);
    }
}

static void serve_pages(int listener)
{
    static uint8_t body[EGRESS_HOSTS_PAGE_BYTES];

    memset(body, 'x', sizeof(body));
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        uint8_t head[4096];

        /* One page each: the request comes as one piece, or in two when the first was cut. */
        if (fork() != 0) {
            (void)close(fd);
            continue;
        }
        for (size_t have = 0; have < 4 || memcmp(head + have - 4, "\r\n\r\n", 4) != 0;) {
            ssize_t n = recv(fd, head + have, sizeof(head) - have, 0);

            if (n <= 0)
                _exit(0);
            have += (size_t)n;
        }
        for (size_t done = 0; done < sizeof(body);) {
            ssize_t n = send(fd, body + done, sizeof(body) - done, MSG_NOSIGNAL);

            if (n <= 0)
                _exit(0);
            done += (size_t)n;
        }
        _exit(0);
    }
}

static void start_host(void (*serve)(int fd), int fd)
{
    pid_t parent = getpid();

    if (fork() == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        (void)signal(SIGCHLD, SIG_IGN);
        if (getppid() == parent)
            serve(fd);
        _exit(1);
    }
    (void)close(fd);
}

void egress_hosts_start(void)
{
    start_host(serve_names, socket_at(SOCK_DGRAM, INADDR_LOOPBACK, 53));
    start_host(serve_pages, socket_at(SOCK_STREAM, INADDR_LOOPBACK, 80));
}
