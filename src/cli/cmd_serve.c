/*
 * docle serve. How it works: checks and prepares everything as whoever started it, forks the
 * launcher's keeper with those rights, then gives the rights up for good (confine.h) and becomes
 * the API process. Keeper, launcher and what they started end when this process does.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/app.h"
#include "base/log.h"
#include "cli/billing_setup.h"
#include "cli/commands.h"
#include "cli/confine.h"
#include "cli/data_dir.h"
#include "cli/doctor.h"
#include "cli/launch.h"
#include "cli/notify.h"
#include "cli/package_setup.h"
#include "limits/money.h"
#include "store/hash.h"

#include "base/poison.h"

enum { DATABASE_PATH_MAX = CONFINE_PATH_MAX + 16 };

struct server {
    struct cli_call *call; /* as it came: SIGHUP reads the settings again from it */
    int argc;
    char **argv;
    struct launch_plan plan;
    struct package_setup packages;
    struct launcher_keeper keeper;
    struct ui_files ui; /* of a folder; zeros: the program's */
    struct run_network_limits network;
    struct app *app;
    struct config current; /* as last reloaded; empty before */
    struct notify notify;
    char host[64];
};

/* The keeper's end: without it a dead launcher stays dead. Set before the handler is installed. */
static volatile pid_t keeper_pid;
static volatile sig_atomic_t keeper_lost;

static void on_child(int number)
{
    int saved = errno;

    (void)number;
    if (keeper_pid > 0 && waitpid(keeper_pid, NULL, WNOHANG) == keeper_pid) {
        keeper_lost = 1;
        (void)kill(getpid(), SIGTERM);
    }
    errno = saved;
}

static int set_signals(struct dc_err *err)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction child = {.sa_handler = on_child, .sa_flags = SA_RESTART | SA_NOCLDSTOP};

    if (sigaction(SIGPIPE, &ignore, NULL) < 0 || sigaction(SIGCHLD, &child, NULL) < 0)
        return dc_fail_errno(err, "signals");
    return 0;
}

/* --- settings -------------------------------------------------------------------------------- */

static void fill_limits(const struct config *config, const struct run_network_limits *network,
                        struct run_limits *limits)
{
    static const struct {
        enum policy_field field;
        enum config_id id;
    } ceilings[] = {
        {POLICY_TIMEOUT_MS, CONFIG_LIMITS_TIMEOUT_MS},
        {POLICY_MEMORY_MB, CONFIG_LIMITS_MEMORY_MB},
        {POLICY_DISK_MB, CONFIG_LIMITS_DISK_MB},
        {POLICY_PROCESSES, CONFIG_LIMITS_PROCESSES},
        {POLICY_CPUS_CENTI, CONFIG_LIMITS_CPUS},
        {POLICY_CPU_MS, CONFIG_LIMITS_CPU_MS},
        {POLICY_OUTPUT_BYTES, CONFIG_LIMITS_OUTPUT_BYTES},
    };
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    *limits =
        (struct run_limits){.body_max_bytes = config_number(config, CONFIG_LIMITS_BODY_BYTES)};
    if (config_number(config, CONFIG_NETWORK_ENABLED))
        limits->network = network;
    for (size_t i = 0; i < sizeof(ceilings) / sizeof(ceilings[0]); i++)
        run_limits_lower(limits, ceilings[i].field, config_number(config, ceilings[i].id),
                         "this server");
    if (cores > 0)
        run_limits_lower(limits, POLICY_CPUS_CENTI, (uint32_t)cores * 100, "this machine");
}

static void fill_share(const struct config *config, struct admission_share *share)
{
    *share = (struct admission_share){
        .running_max = config_number(config, CONFIG_PROJECT_RUNNING),
        .queued_max = config_number(config, CONFIG_PROJECT_QUEUED),
    };
    if (!share->running_max)
        share->running_max = 8 * (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
}

static void fill_rates(const struct config *config, struct app_rates *rates)
{
    *rates = (struct app_rates){
        .open_per_minute = config_number(config, CONFIG_RATE_OPEN),
        .user_per_minute = config_number(config, CONFIG_RATE_USER),
    };
}

/* billing does not change while the server runs; a reload has no secrets to tell it by. */
static void fill_plans(const struct config *config, enum billing_mode billing,
                       struct plan_limits *plans)
{
    *plans = (struct plan_limits){
        .billing = billing != BILLING_OFF,
        .free_runs = config_number(config, CONFIG_FREE_RUNS),
        .free_timeout_ms = config_number(config, CONFIG_FREE_TIMEOUT_MS),
        .free_memory_mb = config_number(config, CONFIG_FREE_MEMORY_MB),
        .free_install_s = config_number(config, CONFIG_FREE_INSTALL_SECONDS),
        .pro_timeout_ms = config_number(config, CONFIG_PRO_TIMEOUT_MS),
        .pro_memory_mb = config_number(config, CONFIG_PRO_MEMORY_MB),
    };
}

static int fill_price(const struct config *config, struct store_price *price, struct dc_err *err)
{
    const char *currency = config_text(config, CONFIG_PRICE_CURRENCY);

    if (!money_parse(config_text(config, CONFIG_PRICE_RUN), &price->run_micros))
        return dc_fail(err, DC_INVALID, 0, "price.run: '%.40s' is no amount such as 0.001",
                       config_text(config, CONFIG_PRICE_RUN));
    if (!money_parse(config_text(config, CONFIG_PRICE_CPU_MS), &price->cpu_ms_micros))
        return dc_fail(err, DC_INVALID, 0, "price.cpu_ms: '%.40s' is no amount such as 0.00001",
                       config_text(config, CONFIG_PRICE_CPU_MS));
    if (strlen(currency) != 3 || strspn(currency, "abcdefghijklmnopqrstuvwxyz") != 3)
        return dc_fail(err, DC_INVALID, 0, "price.currency: '%.40s' is not three small letters",
                       currency);
    (void)snprintf(price->currency, sizeof(price->currency), "%s", currency);
    return 0;
}

static void fill_accounts(const struct config *config, struct accounts_options *options)
{
    *options = (struct accounts_options){
        .mail = {.from = config_text(config, CONFIG_MAIL_FROM),
                 .resend_key = config_text(config, CONFIG_RESEND_API_KEY),
                 .resend_url = config_text(config, CONFIG_RESEND_URL),
                 .smtp_url = config_text(config, CONFIG_SMTP_URL),
                 .smtp_user = config_text(config, CONFIG_SMTP_USER),
                 .smtp_password = config_text(config, CONFIG_SMTP_PASSWORD),
                 .smtp_plain = config_number(config, CONFIG_SMTP_PLAIN) != 0},
        .mails_at_once = config_number(config, CONFIG_MAIL_AT_ONCE),
        .app_name = config_text(config, CONFIG_APP_NAME),
        .app_url = config_text(config, CONFIG_APP_URL),
        .signup = (enum signup)config_number(config, CONFIG_AUTH_SIGNUP),
        .domains = config_text(config, CONFIG_AUTH_DOMAINS),
        .operators = config_text(config, CONFIG_AUTH_OPERATORS),
        .links_per_address = config_number(config, CONFIG_AUTH_LINKS_PER_CLIENT),
        .links_per_email = config_number(config, CONFIG_AUTH_LINKS_PER_ADDRESS),
        .link_minutes = config_number(config, CONFIG_AUTH_LINK_MINUTES),
        .session_days = config_number(config, CONFIG_AUTH_SESSION_DAYS),
        .invitation_days = config_number(config, CONFIG_AUTH_INVITATION_DAYS),
        .invitations_per_email = config_number(config, CONFIG_AUTH_INVITATIONS_PER_ADDRESS),
        .invitations_per_project = config_number(config, CONFIG_AUTH_INVITATIONS_PER_PROJECT),
    };
}

/* Links on a console that nobody reads, or that somebody reads who should not, are a mistake in
 * production unless the operator means it. */
static int check_mail(const struct config *config, struct dc_err *err)
{
    enum { AUTO, YES, NO };
    bool production = config_number(config, CONFIG_ENVIRONMENT) != 0;
    uint32_t console = config_number(config, CONFIG_MAIL_CONSOLE);

    if (production && strncasecmp(config_text(config, CONFIG_APP_URL), "https://", 8) != 0)
        dc_log(DC_LOG_WARN,
               "app.url is no https:// address: whoever is on the way can read cookies "
               "and keys, and cookies are not marked Secure");
    if (*config_text(config, CONFIG_RESEND_API_KEY) || *config_text(config, CONFIG_SMTP_URL) ||
        console == YES || (console == AUTO && !production))
        return 0;
    return dc_fail(err, DC_INVALID, 0,
                   "no way out for mails: set resend.api_key or smtp.url, and mail.from; or "
                   "mail.console to yes, to print sign-in links on standard output");
}

/* Says what is new, and which new values need a restart. first: as at the start; old: before this
 * reload. */
static void compare_settings(const struct config *first, const struct config *old,
                             const struct config *new)
{
    for (unsigned i = 0; i < CONFIG_KEYS; i++) {
        enum config_id id = (enum config_id)i;
        const char *name = config_keys[id].name;
        bool secret = config_keys[id].type == CONFIG_SECRET;

        if (config_keys[id].reload && new->kept[id])
            dc_log(DC_LOG_WARN,
                   "the file of %s is out of the server's reach; it stays as it was "
                   "until the next start",
                   name);
        else if (!config_keys[id].reload && config_changed(first, new, id))
            dc_log(DC_LOG_WARN, "%s changed; it takes effect at the next start", name);
        else if (config_keys[id].reload && config_changed(old, new, id))
            dc_log(DC_LOG_INFO, secret ? "%s is changed" : "%s is now %s", name,
                   config_text(new, id));
    }
}

static int take_nothing(void *context, int option, const char *value, struct dc_err *err)
{
    (void)context;
    (void)option;
    (void)value;
    return dc_fail(err, DC_BUG, 0, "docle serve has no options but settings");
}

static const struct config *current_config(const struct server *server)
{
    return server->current.values[0].text ? &server->current : &server->call->config;
}

static int read_again(struct server *server, struct config *ret_config, struct dc_err *err)
{
    struct cli_call call = {
        .command = server->call->command, .argc = server->argc, .argv = server->argv};
    int result;

    config_init(&call.config);
    call.config.before = current_config(server);
    result = cli_parse(&call, take_nothing, NULL, err);
    *ret_config = call.config;
    ret_config->before = NULL;
    return result;
}

static void take_limits(struct server *server, struct app *app, const struct config *config,
                        const struct store_price *price)
{
    struct run_limits limits;
    struct admission_share share;
    struct app_rates rates;
    struct plan_limits plans;

    fill_limits(config, &server->network, &limits);
    if (!config_number(&server->call->config, CONFIG_NETWORK_ENABLED))
        limits.network = NULL; /* no relay was started */
    fill_share(config, &share);
    fill_rates(config, &rates);
    fill_plans(config, billing_setup_mode(&server->call->config), &plans);
    app_set_limits(app, &limits, &share, &rates, &plans, price);
}

/* SIGHUP. A mistake in the file leaves all as it is. */
static void on_reload(struct app *app, void *context)
{
    struct server *server = context;
    DC_AUTO(config_release) struct config config = {0};
    struct accounts_options accounts;
    struct store_price price;
    struct dc_err err;
    int result = read_again(server, &config, &err);

    if (result == 0)
        result = fill_price(&config, &price, &err);
    if (result == 0)
        result = check_mail(&config, &err);
    if (result == 0) {
        fill_accounts(&config, &accounts);
        /* Links, cookies and what Stripe sends people back to have to agree. */
        accounts.app_url = config_text(&server->call->config, CONFIG_APP_URL);
        result =
            app_set_accounts(app, &accounts, config_number(&config, CONFIG_HISTORY_DAYS), &err);
    }
    if (result < 0) {
        dc_log_err(DC_LOG_ERROR, NULL, &err, "the settings stay as they were");
        return;
    }
    compare_settings(&server->call->config, current_config(server), &config);
    dc_log_setup("docle-server", (enum dc_log_level)config_number(&config, CONFIG_LOG_LEVEL));
    take_limits(server, app, &config, &price);
    config_release(&server->current);
    server->current = config;
    config_init(&config);
    dc_log(DC_LOG_INFO, "the settings were read again");
}

static void on_ready(void *context)
{
    struct server *server = context;
    bool v6 = strchr(server->host, ':') != NULL;

    (void)printf("Serving on http://%s%s%s:%u\n", v6 ? "[" : "", server->host, v6 ? "]" : "",
                 app_port(server->app));
    (void)fflush(stdout);
    notify_send(&server->notify, "READY=1");
}

/* --- life ------------------------------------------------------------------------------------ */

static int open_app(struct server *server, const char *database, struct dc_err *err)
{
    const struct config *config = &server->call->config;
    struct app_options options = {
        .database_path = database,
        .engine = {.queued_max = config_number(config, CONFIG_QUEUE_MAX),
                   .wait_max_ms = 1000 * config_number(config, CONFIG_QUEUE_WAIT_SECONDS)},
        .packages = server->packages.options,
        .outbound = {.proxy = config_text(config, CONFIG_OUTBOUND_PROXY),
                     .ca_file = config_text(config, CONFIG_OUTBOUND_CA_FILE)},
        .webhooks = {.private_hosts = config_text(config, CONFIG_WEBHOOKS_PRIVATE),
                     .plain = config_number(config, CONFIG_WEBHOOKS_PLAIN) != 0},
        .repos = {.host = config_text(config, CONFIG_REPOS_HOST),
                  .token = config_text_or_null(config, CONFIG_REPOS_TOKEN),
                  .cache_bytes = (size_t)config_number(config, CONFIG_REPOS_CACHE_MB) << 20},
        .packages_warm = config_text(config, CONFIG_PACKAGES_WARM),
        .packages_warm_sets = server->plan.options.warm_sets,
        .packages_prepared_sets = server->plan.options.prepared_sets,
        .anonymous = {.enabled = config_number(config, CONFIG_ANONYMOUS_ENABLED) != 0,
                      .packages = config_number(config, CONFIG_ANONYMOUS_PACKAGES) != 0,
                      .timeout_ms = config_number(config, CONFIG_ANONYMOUS_TIMEOUT_MS),
                      .memory_mb = config_number(config, CONFIG_ANONYMOUS_MEMORY_MB),
                      .per_minute = config_number(config, CONFIG_ANONYMOUS_RUNS_PER_MINUTE),
                      .running_max = config_number(config, CONFIG_ANONYMOUS_RUNNING)},
        .ui = server->ui.count ? server->ui : ui_embedded,
        .metrics_token = config_text_or_null(config, CONFIG_METRICS_TOKEN),
        .trusted_proxies = config_text(config, CONFIG_TRUSTED_PROXIES),
        .body_max_bytes = config_number(config, CONFIG_LIMITS_BODY_BYTES),
        .connections_max = config_number(config, CONFIG_SERVER_CONNECTIONS),
        .history_days = config_number(config, CONFIG_HISTORY_DAYS),
        .drain_ms = 1000 * config_number(config, CONFIG_SERVER_DRAIN_SECONDS),
        .ready = on_ready,
        .reload = on_reload,
        .context = server,
    };

    if (!config_number(config, CONFIG_UI_ENABLED))
        options.ui = (struct ui_files){0};
    fill_accounts(config, &options.accounts);
    if (check_mail(config, err) < 0)
        return -err->code;
    if (config_number(config, CONFIG_REPOS_ENABLED))
        options.repos.api_url = config_text(config, CONFIG_REPOS_API_URL);
    if (billing_setup_read(config, &options.billing, err) < 0)
        return -err->code;
    config_listen(config, server->host, &options.listen_port);
    options.listen_host = server->host;
    fill_limits(config, &server->network, &options.limits);
    if (server->plan.options.network)
        launch_engine_network(config, &options.engine);
    fill_share(config, &options.share);
    fill_rates(config, &options.rates);
    fill_plans(config, billing_setup_mode(config), &options.plans);
    if (fill_price(config, &options.price, err) < 0)
        return -err->code;
    if (app_open(&options, &server->keeper, &server->app, err) < 0)
        return dc_context(err, "server of '%s'", config_text(config, CONFIG_DATA_DIR));
    return 0;
}

/* From here on without rights. */
static int serve_confined(struct server *server, const struct confine_identity *identity,
                          const char *folder, struct dc_err *err)
{
    char database[DATABASE_PATH_MAX];
    uint8_t warm_up[STORE_HASH_BYTES];
    int result;

    package_setup_move(&server->packages, folder);
    store_sha256("", 0, warm_up); /* libcrypto reads its settings now, not when they are closed */
    if (data_dir_database(folder, database, sizeof(database), err) < 0 ||
        confine_become(identity, err) < 0 || open_app(server, database, err) < 0)
        return -err->code;
    result = confine_seal(folder, server->call->config.file, err);
    if (result == 0)
        result = app_serve(server->app, err);
    app_free(dc_take(server->app));
    if (result == 0 && keeper_lost)
        return dc_fail(err, DC_BUG, 0, "the launcher's keeper is gone; start the server again");
    return result;
}

/* While the folder can still be read, and by whoever started the server. */
static int load_ui(struct server *server, struct dc_err *err)
{
    const char *folder = config_text(&server->call->config, CONFIG_UI_DIR);

    if (!folder[0])
        return 0;
    if (ui_load_folder(folder, &server->ui, err) < 0)
        return dc_context(err, "ui.dir");
    return 0;
}

static int serve(struct server *server, struct dc_buf *explanation, struct dc_err *err)
{
    const struct config *config = &server->call->config;
    struct confine_identity identity;
    char folder[CONFINE_PATH_MAX];
    int result;

    doctor_explain(config, explanation);
    if (load_ui(server, err) < 0 ||
        launch_network_limits(config, false, &server->network, err) < 0 ||
        confine_identity(config, &identity, err) < 0 ||
        launch_plan(config, LAUNCH_SERVER, &server->plan, err) < 0 ||
        package_setup_read(config, &server->plan, &server->packages, err) < 0 ||
        launcher_keeper_start(&server->plan.options, &server->keeper, err) < 0)
        return -err->code;
    keeper_pid = server->keeper.pid;
    result = set_signals(err);
    if (result == 0)
        result = notify_open(&server->notify, err);
    if (result == 0)
        result = confine_data_dir(config, &identity, folder, err);
    if (result == 0)
        result = serve_confined(server, &identity, folder, err);
    notify_release(&server->notify);
    keeper_pid = 0;
    launcher_keeper_release(&server->keeper);
    return result;
}

static int run_serve(struct cli_call *call, struct dc_err *err)
{
    DC_AUTO(dc_buf_release) struct dc_buf explanation = {0};
    struct server server = {.call = call,
                            .argc = call->argc,
                            .argv = call->argv,
                            .keeper = {.fd = -1},
                            .notify = {.fd = -1}};
    int result = cli_parse(call, take_nothing, NULL, err);

    if (result)
        return result < 0 ? result : CLI_OK;
    if (cli_operands(call, 0, err) < 0)
        return -err->code;
    dc_log_setup("docle-server", (enum dc_log_level)config_number(&call->config, CONFIG_LOG_LEVEL));
    dc_buf_init(&explanation, CLI_OUTPUT_MAX_BYTES);
    result = serve(&server, &explanation, err);
    config_release(&server.current);
    package_setup_release(&server.packages);
    ui_files_release(&server.ui);
    if (result == -DC_DENIED && explanation.length)
        (void)fprintf(stderr, "docle: this host lacks:\n%s", dc_buf_str(&explanation));
    return result;
}

const struct cli_command command_serve = {
    .name = "serve",
    .summary = "Serve the HTTP API, in the foreground, until SIGTERM or SIGINT.",
    .detail = "The signal lets running runs end first, for at most server.drain_seconds; a second "
              "one ends at once. SIGHUP reads the settings again; docle.conf(5) says which. See "
              "docle-server(8).",
    .settings = CLI_ALL_SETTINGS,
    .run = run_serve,
};
