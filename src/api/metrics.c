#include "api/metrics.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "runs/result.h"

#include "base/poison.h"

static void head(struct dc_buf *out, const char *name, const char *type, const char *help)
{
    (void)dc_buf_printf(out, "# HELP docle_%s %s\n# TYPE docle_%s %s\n", name, help, name, type);
}

static void single(struct dc_buf *out, const char *name, const char *type, const char *help,
                   uint64_t value)
{
    head(out, name, type, help);
    (void)dc_buf_printf(out, "docle_%s %" PRIu64 "\n", name, value);
}

/* Nanoseconds as seconds, without floating point. */
static void seconds(struct dc_buf *out, uint64_t ns)
{
    (void)dc_buf_printf(out, "%" PRIu64 ".%09" PRIu64, ns / (uint64_t)DC_NS_PER_S,
                        ns % (uint64_t)DC_NS_PER_S);
}

/* labels: `lang="python",` or "". */
static void histogram(struct dc_buf *out, const char *name, const char *labels,
                      const struct engine_histogram *histogram)
{
    size_t labels_length = strlen(labels);
    int shown = labels_length ? (int)labels_length - 1 : 0;
    uint64_t below = 0;

    for (size_t i = 0; i < ENGINE_BUCKETS - 1; i++) {
        below += histogram->buckets[i];
        (void)dc_buf_printf(out, "docle_%s_bucket{%sle=\"%u.%03u\"} %" PRIu64 "\n", name, labels,
                            engine_bucket_bounds_ms[i] / 1000, engine_bucket_bounds_ms[i] % 1000,
                            below);
    }
    (void)dc_buf_printf(out, "docle_%s_bucket{%sle=\"+Inf\"} %" PRIu64 "\n", name, labels,
                        histogram->count);
    (void)dc_buf_printf(out, "docle_%s_sum%s%.*s%s ", name, shown ? "{" : "", shown, labels,
                        shown ? "}" : "");
    seconds(out, histogram->sum_ns);
    (void)dc_buf_printf(out, "\ndocle_%s_count%s%.*s%s %" PRIu64 "\n", name, shown ? "{" : "",
                        shown, labels, shown ? "}" : "", histogram->count);
}

static void print_runs(struct dc_buf *out, const struct engine_stats *stats)
{
    head(out, "runs_total", "counter", "Runs that ended, by language and outcome.");
    for (int lang = 0; lang < RUN_LANGS; lang++)
        for (int outcome = 0; outcome < OUTCOMES; outcome++)
            (void)dc_buf_printf(out, "docle_runs_total{lang=\"%s\",outcome=\"%s\"} %" PRIu64 "\n",
                                run_lang_name((enum run_lang)lang),
                                run_outcome_name((enum run_outcome)outcome),
                                stats->runs[lang][outcome]);
    head(out, "run_duration_seconds", "histogram",
         "Time from a run's acceptance to its end, waiting included.");
    for (int lang = 0; lang < RUN_LANGS; lang++)
        histogram(out, "run_duration_seconds",
                  lang == RUN_PYTHON ? "lang=\"python\"," : "lang=\"node\",",
                  &stats->latency[lang]);
    head(out, "run_wait_seconds", "histogram", "Time that runs waited for a slot.");
    histogram(out, "run_wait_seconds", "", &stats->waiting);
    head(out, "runs_refused_total", "counter", "Runs that were not taken, by reason.");
    (void)dc_buf_printf(out,
                        "docle_runs_refused_total{reason=\"project_limit\"} %" PRIu64
                        "\ndocle_runs_refused_total{reason=\"server_full\"} %" PRIu64
                        "\ndocle_runs_refused_total{reason=\"wait_expired\"} %" PRIu64 "\n",
                        stats->refused_own, stats->refused_full, stats->wait_expired);
    single(out, "runs_running", "gauge", "Runs that hold a slot.", stats->running);
    single(out, "queue_depth", "gauge", "Runs that wait for a slot.", stats->queued);
    single(out, "slots", "gauge", "Runs that may execute at once; 0 while the launcher is away.",
           stats->slots);
}

static void print_runtimes(struct dc_buf *out, const char *name, const char *type, const char *help,
                           const struct launch_hello *hello,
                           uint64_t (*value)(const struct launch_stats *stats, int runtime),
                           const struct launch_stats *stats)
{
    head(out, name, type, help);
    for (int i = 0; hello && i < hello->runtime_count; i++)
        (void)dc_buf_printf(out, "docle_%s{lang=\"%s\",version=\"%s\",start=\"%s\"} %" PRIu64 "\n",
                            name, hello->runtimes[i].name, hello->runtimes[i].version,
                            hello->runtimes[i].start == START_ZYGOTE ? "zygote" : "plain",
                            value(stats, i));
}

static uint64_t forks_of(const struct launch_stats *stats, int runtime)
{
    return stats->zygote_forks[runtime];
}

static uint64_t spares_of(const struct launch_stats *stats, int runtime)
{
    return stats->spares[runtime];
}

static void print_launcher(struct dc_buf *out, const struct launcher_client_stats *stats,
                           const struct launch_hello *hello)
{
    const struct launch_stats *last = &stats->last;

    head(out, "starts_total", "counter",
         "Starts of runs since the launcher's own: in a spare sealed ahead, by a fork on demand, "
         "by a plain process.");
    (void)dc_buf_printf(out,
                        "docle_starts_total{kind=\"warm\"} %" PRIu64
                        "\ndocle_starts_total{kind=\"cold\"} %" PRIu64
                        "\ndocle_starts_total{kind=\"plain\"} %" PRIu64 "\n",
                        last->warm_starts, last->cold_starts, last->plain_starts);
    print_runtimes(out, "zygote_forks_total", "counter", "Forks by runtime.", hello, forks_of,
                   last);
    print_runtimes(out, "spares", "gauge", "Sandboxes sealed ahead.", hello, spares_of, last);
    single(out, "zygote_restarts_total", "counter", "Zygotes that were replaced.",
           last->zygote_restarts);
    single(out, "slots_rebuilt_total", "counter", "Slots that could not be lent again.",
           last->slots_rebuilt);
    single(out, "slots_busy", "gauge", "Slots lent to a run.", last->slots_busy);
    single(out, "launcher_starts_total", "counter", "Starts of the launcher.", stats->starts);
    single(out, "launcher_deaths_total", "counter", "Unwanted ends of the launcher.",
           stats->deaths);
}

/* Only on a server that gives runs a network. */
static void print_network(struct dc_buf *out, const struct egress_stats *stats)
{
    head(out, "network_attempts_total", "counter", "What runs tried on the network, by verdict.");
    for (int i = 0; i < EGRESS_VERDICTS; i++)
        (void)dc_buf_printf(out, "docle_network_attempts_total{verdict=\"%s\"} %" PRIu64 "\n",
                            egress_verdict_name((enum egress_verdict)i), stats->attempts[i]);
    head(out, "network_bytes_total", "counter", "What runs received and sent.");
    (void)dc_buf_printf(out,
                        "docle_network_bytes_total{direction=\"in\"} %" PRIu64
                        "\ndocle_network_bytes_total{direction=\"out\"} %" PRIu64 "\n",
                        stats->bytes_in, stats->bytes_out);
    single(out, "network_runs", "gauge", "Runs that have a network now.", stats->sessions);
    single(out, "relay_ready", "gauge", "1 when runs can be given a network.", stats->ready);
    single(out, "relay_starts_total", "counter", "Starts of the relay.", stats->starts);
    single(out, "relay_deaths_total", "counter", "Unwanted ends of the relay.", stats->deaths);
}

static void print_http(struct dc_buf *out, const struct metrics_sources *sources)
{
    head(out, "http_requests_total", "counter", "Answered requests by route and status class.");
    for (int route = 0; sources->route_name(route); route++)
        for (int class = 0; class < METRICS_CLASSES; class ++)
            if (sources->own->requests[route][class])
                (void)dc_buf_printf(
                    out, "docle_http_requests_total{route=\"%s\",status=\"%dxx\"} %" PRIu64 "\n",
                    sources->route_name(route), class + 1, sources->own->requests[route][class]);
    single(out, "http_requests_in_flight", "gauge", "Requests that wait for their answer.",
           sources->own->in_flight);
    single(out, "http_streams", "gauge", "Event streams that are open.", sources->own->streams);
    single(out, "http_connections", "gauge", "Client connections.", sources->connections);
    single(out, "idempotent_replays_total", "counter", "Answers that repeated a stored result.",
           sources->own->replays);
}

static void print_store(struct dc_buf *out, const struct store_stats *stats)
{
    single(out, "store_writes_total", "counter", "Write operations committed.", stats->writes);
    single(out, "store_commits_total", "counter", "Durable commits.", stats->commits);
    single(out, "store_failures_total", "counter", "Operations that failed.", stats->failed);
    single(out, "store_reads_total", "counter", "Read operations.", stats->reads);
    single(out, "store_write_queue", "gauge", "Writes waiting.", stats->write_queue);
    single(out, "store_read_queue", "gauge", "Reads waiting.", stats->read_queue);
    single(out, "store_checkpoints_total", "counter", "Times the log was folded into the file.",
           stats->checkpoints);
}

static void print_repos(struct dc_buf *out, const struct repos_stats *stats)
{
    single(out, "repository_fetches_total", "counter", "Repositories fetched from their host.",
           stats->fetched);
    single(out, "repository_failures_total", "counter",
           "Repositories that could not be fetched, for whatever reason.", stats->failed);
    single(out, "repository_hits_total", "counter",
           "Runs whose repository was there, or being fetched, already.", stats->hits);
    single(out, "repository_bytes", "gauge", "Memory of repositories that are kept.", stats->bytes);
}

static void print_packages(struct dc_buf *out, const struct packages_stats *stats)
{
    single(out, "package_hits_total", "counter", "Runs whose packages were there already.",
           stats->hits);
    single(out, "package_installs_total", "counter", "Installs, failed ones included.",
           stats->installs);
    single(out, "package_install_failures_total", "counter", "Installs that failed.",
           stats->failures);
    single(out, "package_installs_joined_total", "counter",
           "Runs that waited for an install of another one.", stats->joined);
    single(out, "package_install_milliseconds_total", "counter", "Time that installs took.",
           stats->install_ns / (uint64_t)DC_NS_PER_MS);
    single(out, "package_evictions_total", "counter", "Layers removed.", stats->evictions);
    single(out, "package_layers_spoilt_total", "counter",
           "Layers that were found changed, and made anew.", stats->spoilt);
    single(out, "package_installing", "gauge", "Installs under way.", stats->installing);
    single(out, "package_layers", "gauge", "Layers on disk.", stats->layers);
    single(out, "package_bytes", "gauge", "Bytes of all layers.", stats->bytes);
}

static void print_billing(struct dc_buf *out, const struct billing_stats *stats, int64_t now)
{
    bool waits = stats->oldest_at && stats->oldest_at < now;

    single(out, "billing_sender", "gauge", "1 when it is this server that tells the meter.",
           stats->sends);
    single(out, "billing_unsent_events", "gauge", "Usage events that the meter is to get.",
           (uint64_t)stats->unsent);
    single(out, "billing_oldest_unsent_seconds", "gauge",
           "How long the oldest usage that is not told yet has waited.",
           waits ? (uint64_t)((now - stats->oldest_at) / DC_NS_PER_S) : 0);
    single(out, "billing_ambiguous_events", "gauge",
           "Usage events that the meter may have or not; the next comparison finds out.",
           (uint64_t)stats->ambiguous);
    single(out, "billing_dead_events", "gauge", "Usage events that the meter does not take.",
           (uint64_t)stats->dead);
    single(out, "billing_pending_cancels", "gauge",
           "Subscriptions of deleted projects that have not ended yet.", (uint64_t)stats->cancels);
    single(out, "billing_drift_hours_total", "counter",
           "Hours in which the meter showed something else than it was told.", stats->drifts);
    single(out, "billing_webhook_signature_failures_total", "counter",
           "Webhooks that none of the secrets had signed.", stats->bad_signatures);
    head(out, "billing_incident", "gauge", "1 while an incident of that kind is open.");
    for (int i = 0; i < STORE_INCIDENTS; i++)
        (void)dc_buf_printf(out, "docle_billing_incident{kind=\"%s\"} %d\n",
                            store_incident_name((enum store_incident_kind)i), stats->incidents[i]);
}

bool metrics_print(const struct metrics_sources *sources, struct dc_buf *out)
{
    head(out, "info", "gauge", "Version of the program.");
    (void)dc_buf_text(out, "docle_info{version=\"" DOCLE_VERSION "\"} 1\n");
    single(out, "ready", "gauge", "1 when runs can be accepted.", sources->ready);
    single(out, "start_time_seconds", "gauge", "When the server started, Unix time.",
           (uint64_t)(sources->own->started_ns / DC_NS_PER_S));
    print_runs(out, sources->engine);
    print_launcher(out, &sources->engine->launcher, sources->hello);
    if (sources->engine->network)
        print_network(out, &sources->engine->egress);
    print_http(out, sources);
    print_store(out, sources->store);
    if (sources->packages)
        print_packages(out, sources->packages);
    if (sources->repos)
        print_repos(out, sources->repos);
    if (sources->billing)
        print_billing(out, sources->billing, sources->now);
    return !out->failed;
}
