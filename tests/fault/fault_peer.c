#include "fault_peer.h"

#include <archive.h>
#include <archive_entry.h>
#include <arpa/inet.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NAMES_MAX = 16384, NAME_SIZE = 96, TEXT_MAX = 65536, ARCHIVE_MAX = 65536 };

struct taken {
    char name[NAME_SIZE];
    long value;
    unsigned times;
};

static struct shared {
    atomic_flag lock;
    unsigned count;
    struct taken names[NAMES_MAX];
} * shared;

static char archive_bytes[ARCHIVE_MAX];
static size_t archive_length;

/* ---- what is counted ---- */

static void lock(void)
{
    while (atomic_flag_test_and_set(&shared->lock))
        (void)usleep(100);
}

static void unlock(void)
{
    atomic_flag_clear(&shared->lock);
}

static struct taken *find(const char *name)
{
    for (unsigned i = 0; i < shared->count; i++)
        if (strcmp(shared->names[i].name, name) == 0)
            return &shared->names[i];
    return NULL;
}

/* False: it is there already. again: count it all the same. */
static bool take(const char *name, long value, bool again)
{
    struct taken *taken;
    bool is_new;

    lock();
    taken = find(name);
    is_new = !taken;
    if (!taken && shared->count < NAMES_MAX) {
        taken = &shared->names[shared->count++];
        (void)snprintf(taken->name, sizeof(taken->name), "%s", name);
        taken->value = value;
        taken->times = 0;
    }
    if (taken)
        taken->times += is_new || again;
    unlock();
    return is_new;
}

unsigned peer_times(const char *name)
{
    const struct taken *taken;
    unsigned times;

    lock();
    taken = find(name);
    times = taken ? taken->times : 0;
    unlock();
    return times;
}

long peer_sum(void)
{
    long sum = 0;

    lock();
    for (unsigned i = 0; i < shared->count; i++)
        sum += shared->names[i].value;
    unlock();
    return sum;
}

/* ---- HTTP ---- */

static void answer(FILE *stream, int status, const char *type, const void *body, size_t length)
{
    (void)fprintf(stream, "HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                  status, type, length);
    (void)fwrite(body, 1, length, stream);
    (void)fflush(stream);
}

static void answer_text(FILE *stream, int status, const char *text)
{
    answer(stream, status, "application/json", text, strlen(text));
}

/* The value of a field of a form whose values need no decoding; "" when there is none. */
static void form_value(const char *body, const char *name, char out[static NAME_SIZE])
{
    const char *at = strstr(body, name);

    out[0] = '\0';
    if (at)
        (void)snprintf(out, NAME_SIZE, "%.*s", (int)strcspn(at + strlen(name), "&"),
                       at + strlen(name));
}

static void meter(FILE *stream, const char *body)
{
    char id[NAME_SIZE];
    char value[NAME_SIZE];
    char said[256];

    form_value(body, "identifier=", id);
    form_value(body, "payload[value]=", value);
    if (take(id, strtol(value, NULL, 10), false)) {
        answer_text(stream, 200, "{\"object\":\"billing.meter_event\"}");
        return;
    }
    (void)snprintf(said, sizeof(said),
                   "{\"error\":{\"message\":\"An event already exists with identifier %s.\"}}", id);
    answer_text(stream, 400, said);
}

static void resend(FILE *stream, const char *body)
{
    char recipient[NAME_SIZE] = "";

    (void)sscanf(body, "{\"to\":[\"%95[^\"]", recipient);
    (void)take(recipient, 1, true);
    answer_text(stream, 200, "{}");
}

static void serve_request(FILE *stream, const char *path, const char *body)
{
    static const char commit[] = "0123456789abcdef0123456789abcdef01234567";

    if (strcmp(path, "/v1/billing/meter_events") == 0)
        meter(stream, body);
    else if (strcmp(path, "/emails") == 0)
        resend(stream, body);
    else if (strstr(path, "/commits/"))
        answer_text(stream, 200, commit);
    else if (strstr(path, "/tarball/"))
        answer(stream, 200, "application/gzip", archive_bytes, archive_length);
    else
        answer_text(stream, 200, body);
}

static void speak_http(FILE *stream)
{
    static char line[TEXT_MAX];
    static char body[TEXT_MAX];
    char path[1024];

    while (fgets(line, sizeof(line), stream)) {
        size_t length = 0;

        if (sscanf(line, "%*s %1023s", path) != 1)
            return;
        while (fgets(line, sizeof(line), stream) && line[0] != '\r')
            (void)sscanf(line, "Content-Length: %zu", &length);
        if (length >= sizeof(body) || fread(body, 1, length, stream) != length)
            return;
        body[length] = '\0';
        (void)fflush(stream); /* between reading and writing */
        serve_request(stream, path, body);
        (void)fflush(stream);
    }
}

/* ---- SMTP ---- */

static void say(FILE *stream, const char *text)
{
    (void)fflush(stream);
    (void)fprintf(stream, "%s\r\n", text);
    (void)fflush(stream);
}

static bool read_letter(FILE *stream, char *line, int size)
{
    while (fgets(line, size, stream))
        if (strcmp(line, ".\r\n") == 0)
            return true;
    return false;
}

static void speak_smtp(FILE *stream)
{
    static char line[TEXT_MAX];
    char recipient[NAME_SIZE] = "";

    say(stream, "220 peer");
    while (fgets(line, sizeof(line), stream)) {
        if (strncmp(line, "RCPT", 4) == 0)
            (void)sscanf(line, "RCPT TO:<%95[^>]", recipient);
        if (strncmp(line, "QUIT", 4) == 0)
            return;
        if (strncmp(line, "DATA", 4) == 0) {
            say(stream, "354 go on");
            if (!read_letter(stream, line, sizeof(line)))
                return;
            (void)take(recipient, 1, true);
        }
        say(stream, "250 good");
    }
}

/* ---- life ---- */

static int listen_somewhere(unsigned *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 128) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &size) < 0)
        return -1;
    *ret_port = ntohs(at.sin_port);
    return fd;
}

__attribute__((noreturn)) static void serve(int listener, void (*speak)(FILE *stream))
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGCHLD, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
    for (;;) {
        int fd = accept(listener, NULL, NULL);

        if (fd >= 0 && fork() == 0) {
            FILE *stream = fdopen(fd, "r+");

            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (stream)
                speak(stream);
            _exit(0);
        }
        (void)close(fd);
    }
}

static bool start_one(void (*speak)(FILE *stream), unsigned *ret_port)
{
    int listener = listen_somewhere(ret_port);
    pid_t pid = listener < 0 ? -1 : fork();

    if (pid == 0)
        serve(listener, speak);
    (void)close(listener);
    return pid > 0;
}

static bool add_file(struct archive *archive, const char *path, const char *content)
{
    struct archive_entry *entry = archive_entry_new();
    bool good;

    archive_entry_set_pathname(entry, path);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)strlen(content));
    good = archive_write_header(archive, entry) == ARCHIVE_OK &&
           archive_write_data(archive, content, strlen(content)) == (la_ssize_t)strlen(content);
    archive_entry_free(entry);
    return good;
}

static bool make_archive(void)
{
    struct archive *archive = archive_write_new();
    bool good = archive_write_set_format_pax_restricted(archive) == ARCHIVE_OK &&
                archive_write_add_filter_gzip(archive) == ARCHIVE_OK &&
                archive_write_open_memory(archive, archive_bytes, sizeof(archive_bytes),
                                          &archive_length) == ARCHIVE_OK &&
                add_file(archive, "o-n-0123456/main.py", "print(1)") &&
                add_file(archive, "o-n-0123456/pkg/mod.py", "x = 1");

    good &= archive_write_close(archive) == ARCHIVE_OK;
    (void)archive_write_free(archive);
    return good;
}

bool peer_start(struct peer *ret_peer)
{
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared != MAP_FAILED && make_archive() && start_one(speak_http, &ret_peer->http_port) &&
           start_one(speak_smtp, &ret_peer->smtp_port);
}
