/*
 * A load generator that costs the machine little, so that what is measured is the measured side.
 *
 *   load http URL KEY CLIENTS COUNT <BODY     POSTs BODY, COUNT times in all, from CLIENTS
 * connections load spawn PARALLEL COUNT PROGRAM ARG…    starts PROGRAM, COUNT times in all,
 * PARALLEL at a time
 *
 * All connections of a client are made before the clock starts. Prints one JSON object: "rate"
 * (calls a second), "failures" (answers that are not 200 with "ok":true, exits that are not 0),
 * "p50_ms", "p99_ms".
 */
#include <curl/curl.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { CLIENTS_MAX = 256, COUNT_MAX = 100000, BODY_MAX = 1 << 20, ANSWER_MAX = 1 << 16 };

static double times_ms[COUNT_MAX];
static size_t done_count, failures;

static double now_ms(void)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec * 1e3 + (double)at.tv_nsec / 1e6;
}

static void die(const char *what)
{
    (void)fprintf(stderr, "load: %s\n", what);
    exit(2);
}

static size_t number(const char *text, size_t max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*end || value < 1 || value > max)
        die("a count is out of range");
    return value;
}

static int by_size(const void *one, const void *two)
{
    double a = *(const double *)one;
    double b = *(const double *)two;

    return (a > b) - (a < b);
}

static void report(double elapsed_ms)
{
    qsort(times_ms, done_count, sizeof(times_ms[0]), by_size);
    (void)printf("{\"rate\":%.3f,\"failures\":%zu,\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n",
                 (double)done_count / elapsed_ms * 1e3, failures, times_ms[done_count / 2],
                 times_ms[(done_count * 99 - 1) / 100]);
}

/* --- http ------------------------------------------------------------------------------------- */

struct client {
    CURL *easy;
    double since;
    size_t length;
    char answer[ANSWER_MAX];
};

static struct client clients[CLIENTS_MAX];

static size_t take(char *bytes, size_t one, size_t length, void *context)
{
    struct client *client = context;
    size_t room = ANSWER_MAX - 1 - client->length;
    size_t keep = length < room ? length : room;

    (void)one;
    memcpy(client->answer + client->length, bytes, keep);
    client->length += keep;
    return length;
}

static void begin(CURLM *multi, struct client *client)
{
    client->length = 0;
    client->since = now_ms();
    if (curl_multi_add_handle(multi, client->easy) != CURLM_OK)
        die("cannot begin a request");
}

static void end(CURLM *multi, const CURLMsg *message)
{
    struct client *client;
    long status = 0;

    (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &client);
    (void)curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
    times_ms[done_count++] = now_ms() - client->since;
    client->answer[client->length] = '\0';
    failures +=
        message->data.result != CURLE_OK || status != 200 || !strstr(client->answer, "\"ok\":true");
    (void)curl_multi_remove_handle(multi, client->easy);
}

/* Runs COUNT requests, keeping all clients busy. */
static void post(CURLM *multi, size_t count, size_t client_count)
{
    size_t begun = 0;
    int running = 0;

    done_count = failures = 0;
    while (begun < count && begun < client_count)
        begin(multi, &clients[begun++]);
    while (done_count < count) {
        CURLMsg *message;
        int left;

        if (curl_multi_perform(multi, &running) != CURLM_OK)
            die("cannot go on");
        while ((message = curl_multi_info_read(multi, &left))) {
            struct client *client;

            (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &client);
            end(multi, message);
            if (begun < count) {
                begin(multi, client);
                begun++;
            }
        }
        if (done_count < count)
            (void)curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
}

static int http(char **argv)
{
    static char body[BODY_MAX];
    char authorization[256];
    size_t length = fread(body, 1, sizeof(body), stdin);
    size_t client_count = number(argv[2], CLIENTS_MAX);
    size_t count = number(argv[3], COUNT_MAX);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    CURLM *multi = curl_multi_init();
    double start;

    (void)snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s", argv[1]);
    headers = curl_slist_append(headers, authorization);
    (void)curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)CLIENTS_MAX);
    for (size_t i = 0; i < client_count; i++) {
        CURL *easy = clients[i].easy = curl_easy_init();

        (void)curl_easy_setopt(easy, CURLOPT_URL, argv[0]);
        (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)length);
        (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
        (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, &clients[i]);
        (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, &clients[i]);
        (void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    }
    post(multi, client_count, client_count); /* connects */
    start = now_ms();
    post(multi, count, client_count);
    report(now_ms() - start);
    return 0;
}

/* --- spawn ------------------------------------------------------------------------------------ */

static int spawn(char **argv)
{
    size_t parallel = number(argv[0], CLIENTS_MAX);
    size_t count = number(argv[1], COUNT_MAX);
    posix_spawn_file_actions_t actions;
    pid_t pids[CLIENTS_MAX] = {0};
    double since[CLIENTS_MAX];
    size_t begun = 0;
    double start = now_ms();

    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    while (done_count < count) {
        int status;
        pid_t ended;

        for (size_t i = 0; i < parallel && begun < count; i++) {
            if (pids[i])
                continue;
            since[i] = now_ms();
            if (posix_spawnp(&pids[i], argv[2], &actions, NULL, argv + 2, environ) != 0)
                die("cannot start the program");
            begun++;
        }
        ended = waitpid(-1, &status, 0);
        for (size_t i = 0; i < parallel; i++) {
            if (pids[i] != ended)
                continue;
            times_ms[done_count++] = now_ms() - since[i];
            failures += status != 0;
            pids[i] = 0;
        }
    }
    report(now_ms() - start);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "http") == 0)
        return http(argv + 2);
    if (argc >= 5 && strcmp(argv[1], "spawn") == 0)
        return spawn(argv + 2);
    die("usage: load http URL KEY CLIENTS COUNT <BODY | load spawn PARALLEL COUNT PROGRAM ARG…");
}
