/* The table of settings. Also what docle.conf(5) and `docle serve --help` are made from. */
#include "accounts/accounts.h"
#include "base/limits.h"
#include "cli/config.h"

#include "base/poison.h"

const struct config_key config_keys[CONFIG_KEYS] = {
    [CONFIG_LISTEN] = {"listen", CONFIG_LISTEN_ADDRESS, 0, 0, "127.0.0.1:8787", NULL, NULL, false,
                       "HOST:PORT",
                       "Address to serve HTTP on. Port 0 lets the kernel choose. TLS is a reverse "
                       "proxy's job."},
    [CONFIG_DATA_DIR] = {"data_dir", CONFIG_PATH, 0, 0, NULL, NULL, NULL, false, "DIR",
                         "Folder of all state: the database and its lock. Made when missing."},
    [CONFIG_ROOT_DIR] = {"root_dir", CONFIG_PATH, 0, 0, NULL, NULL, NULL, false, "DIR",
                         "Folder of the sealed root, the copy of the runtimes that runs see. "
                         "Shared by data folders."},
    [CONFIG_FLOOR] = {"floor", CONFIG_CHOICE, 0, 0, "standard", "limited standard full", NULL,
                      false, "LEVEL",
                      "Isolation level below which the server refuses to start: full, standard (no "
                      "Landlock) or limited (no memory control by cgroup)."},
    [CONFIG_SLOTS] = {"slots", CONFIG_NUMBER, 0, DC_SLOTS_MAX / 2, "0", NULL, NULL, false, "N",
                      "Runs that may execute at once; 0 is twice the number of cores."},
    [CONFIG_UID_BASE] = {"uid_base", CONFIG_NUMBER, 1000, 2147000000, "1900000000", NULL, NULL,
                         false, "UID",
                         "First of the host user ids that runs get, one per slot and spare. Nobody "
                         "else may use them. Without meaning when rootless."},
    [CONFIG_TRUSTED_PROXIES] = {"trusted_proxies", CONFIG_TEXT, 0, 0, "127.0.0.0/8,::1", NULL, NULL,
                                false, "LIST",
                                "Addresses or networks, separated by commas, whose X-Forwarded-For "
                                "and X-Forwarded-Proto are believed."},
    [CONFIG_SERVER_USER] = {"server.user", CONFIG_TEXT, 0, 0, "", NULL, NULL, false, "USER",
                            "User that the API process becomes when it is started as root. Empty: "
                            "docle when that user exists, else nobody."},
    [CONFIG_SERVER_DRAIN_SECONDS] = {"server.drain_seconds", CONFIG_NUMBER, 1, 3600, "30", NULL,
                                     NULL, false, "SECONDS",
                                     "How long SIGTERM lets running runs go on before they are "
                                     "cancelled."},
    [CONFIG_SERVER_CONNECTIONS] = {"server.connections", CONFIG_NUMBER, 1, 100000, "10000", NULL,
                                   NULL, false, "N",
                                   "Client connections that may be open at once."},
    [CONFIG_METRICS_TOKEN] = {"metrics.token", CONFIG_SECRET, 0, 0, "", NULL, NULL, false, "TOKEN",
                              "Bearer token that opens /metrics to addresses other than loopback. "
                              "Empty: loopback only."},
    [CONFIG_LOG_LEVEL] = {"log.level", CONFIG_CHOICE, 0, 0, "info", "debug info warn error", NULL,
                          true, "LEVEL", "Least level that is logged: debug, info, warn or error."},
    [CONFIG_HISTORY_DAYS] = {"history.days", CONFIG_NUMBER, 1, 3650, "7", NULL, NULL, true, "DAYS",
                             "How long inputs and results of runs are kept. The metering stays."},
    [CONFIG_QUEUE_MAX] = {"queue.max", CONFIG_NUMBER, 1, 1000000, "1000", NULL, NULL, false, "N",
                          "Runs of all projects that may wait for a slot; beyond, 503."},
    [CONFIG_QUEUE_WAIT_SECONDS] = {"queue.wait_seconds", CONFIG_NUMBER, 1, 3600, "60", NULL, NULL,
                                   false, "SECONDS",
                                   "How long a run may wait for a slot; beyond, 503."},
    [CONFIG_PROJECT_RUNNING] =
        {"project.running", CONFIG_NUMBER, 0, 10000, "0", NULL, NULL, true, "N",
         "Runs of one project that may execute at once; 0 is eight times the "
         "number of cores."},
    [CONFIG_PROJECT_QUEUED] = {"project.queued", CONFIG_NUMBER, 1, 100000, "100", NULL, NULL, true,
                               "N", "Runs of one project that may wait; beyond, 429."},
    [CONFIG_BILLING] =
        {"billing", CONFIG_CHOICE, 0, 0, "auto", "auto off stripe cloudevents", "BILLING", false,
         "HOW",
         "Who is told what was used: stripe, a receiver of cloudevents, or nobody (off); auto is "
         "stripe when billing.stripe_key is set. While it is off, plans limit nothing, unless "
         "plans.free_runs is set."},
    [CONFIG_FREE_RUNS] = {"plans.free_runs", CONFIG_NUMBER, 0, 1000000000, "0", NULL,
                          "FREE_TIER_RUNS_LIMIT", true, "N",
                          "Runs of a project on the plan free in a UTC month; beyond, 429. 0: 100 "
                          "with billing, else no limit."},
    [CONFIG_FREE_TIMEOUT_MS] =
        {"plans.free_timeout_ms", CONFIG_NUMBER, DC_TIMEOUT_MIN_MS, DC_TIMEOUT_MAX_MS, "3000", NULL,
         NULL, true, "MS", "Ceiling of policy.timeoutMs on the plan free, and with test keys."},
    [CONFIG_FREE_MEMORY_MB] = {"plans.free_memory_mb", CONFIG_NUMBER, DC_MEMORY_MIN_MB,
                               DC_MEMORY_MAX_MB, "512", NULL, NULL, true, "MB",
                               "Ceiling of policy.memoryMB on the plan free, and with test keys."},
    [CONFIG_FREE_INSTALL_SECONDS] =
        {"plans.free_install_seconds", CONFIG_NUMBER, 1, DC_TIMEOUT_MAX_MS / 1000, "60", NULL, NULL,
         true, "SECONDS",
         "Longest install of packages on the plan free, and with test keys; at most "
         "packages.install_seconds."},
    [CONFIG_PRO_TIMEOUT_MS] = {"plans.pro_timeout_ms", CONFIG_NUMBER, DC_TIMEOUT_MIN_MS,
                               DC_TIMEOUT_MAX_MS, "300000", NULL, NULL, true, "MS",
                               "Ceiling of policy.timeoutMs on the plan pro."},
    [CONFIG_PRO_MEMORY_MB] = {"plans.pro_memory_mb", CONFIG_NUMBER, DC_MEMORY_MIN_MB,
                              DC_MEMORY_MAX_MB, "2048", NULL, NULL, true, "MB",
                              "Ceiling of policy.memoryMB on the plan pro."},
    [CONFIG_PRICE_RUN] =
        {"price.run", CONFIG_TEXT, 0, 0, "0.001", NULL, "STRIPE_PRICE_PER_RUN", true, "AMOUNT",
         "Price of a run, at most six decimals. Test runs, failures of the sandbox "
         "and of installs cost nothing."},
    [CONFIG_PRICE_CPU_MS] = {"price.cpu_ms", CONFIG_TEXT, 0, 0, "0", NULL,
                             "STRIPE_PRICE_PER_CPU_MS", true, "AMOUNT",
                             "Price of a millisecond of CPU time besides, at most six decimals."},
    [CONFIG_PRICE_CURRENCY] = {"price.currency", CONFIG_TEXT, 0, 0, "usd", NULL, NULL, true, "CODE",
                               "Currency of prices and budgets, three letters."},
    [CONFIG_RATE_OPEN] =
        {"rate.open_per_minute", CONFIG_NUMBER, 0, 60000, "300", NULL, NULL, true, "N",
         "Requests in a minute that one client address may send where no key is "
         "needed, or with wrong keys; beyond, 429. IPv6: of a /64 network. 0 is no "
         "limit; loopback addresses have none."},
    [CONFIG_RATE_USER] = {"rate.user_per_minute", CONFIG_NUMBER, 0, 60000, "0", NULL, NULL, true,
                          "N",
                          "Runs in a minute of one end user (userContext.id) of a project, where "
                          "the project has no such limit of its own; beyond, 429. 0 is no limit."},
    [CONFIG_LIMITS_TIMEOUT_MS] = {"limits.timeout_ms", CONFIG_NUMBER, DC_TIMEOUT_MIN_MS,
                                  DC_TIMEOUT_MAX_MS, "300000", NULL, "MAX_TIMEOUT_MS", true, "MS",
                                  "Ceiling of policy.timeoutMs."},
    [CONFIG_LIMITS_MEMORY_MB] = {"limits.memory_mb", CONFIG_NUMBER, DC_MEMORY_MIN_MB,
                                 DC_MEMORY_MAX_MB, "2048", NULL, NULL, true, "MB",
                                 "Ceiling of policy.memoryMB."},
    [CONFIG_LIMITS_DISK_MB] = {"limits.disk_mb", CONFIG_NUMBER, DC_DISK_MIN_MB, DC_DISK_MAX_MB,
                               "1024", NULL, NULL, true, "MB", "Ceiling of policy.diskMB."},
    [CONFIG_LIMITS_PROCESSES] = {"limits.processes", CONFIG_NUMBER, DC_PROCESSES_MIN,
                                 DC_PROCESSES_MAX, "512", NULL, NULL, true, "N",
                                 "Ceiling of policy.maxProcesses (processes and threads)."},
    [CONFIG_LIMITS_CPUS] = {"limits.cpus", CONFIG_CENTI, 0, DC_CPUS_MAX_CENTI, "0", NULL, NULL,
                            true, "CPUS",
                            "Ceiling of policy.cpus, in cores, such as 1.5; 0 is the machine's."},
    [CONFIG_LIMITS_CPU_MS] = {"limits.cpu_ms", CONFIG_NUMBER, 0, DC_CPU_MAX_MS, "0", NULL, NULL,
                              true, "MS", "Ceiling of policy.cpuMs; 0 is none."},
    [CONFIG_LIMITS_OUTPUT_BYTES] = {"limits.output_bytes", CONFIG_NUMBER, DC_OUTPUT_MIN_BYTES,
                                    DC_OUTPUT_MAX_BYTES, "10485760", NULL, NULL, true, "BYTES",
                                    "Ceiling of policy.maxOutputBytes."},
    [CONFIG_LIMITS_BODY_BYTES] = {"limits.body_bytes", CONFIG_NUMBER, 1024, DC_BODY_MAX_BYTES,
                                  "10485760", NULL, NULL, false, "BYTES", "Largest request body."},
    [CONFIG_SPARES_PYTHON] = {"spares.python", CONFIG_NUMBER, 0, DC_SPARES_MAX, "2", NULL, NULL,
                              false, "N", "Python runs that are kept sealed ahead of time."},
    [CONFIG_SPARES_NODE] = {"spares.node", CONFIG_NUMBER, 0, DC_SPARES_MAX, "2", NULL, NULL, false,
                            "N", "Node runs that are kept sealed ahead of time."},
    [CONFIG_ZYGOTE_FORKS] = {"zygote.forks", CONFIG_NUMBER, 1, 2000000000, "10000", NULL, NULL,
                             false, "N",
                             "Runs after which a zygote is replaced, since its runs share one "
                             "address layout."},
    [CONFIG_ZYGOTE_AGE_SECONDS] = {"zygote.age_seconds", CONFIG_NUMBER, 1, 2000000000, "3600", NULL,
                                   NULL, false, "SECONDS", "Age after which a zygote is replaced."},
    [CONFIG_NETWORK_ENABLED] = {"network.enabled", CONFIG_CHOICE, 0, 0, "on", "off on", NULL, false,
                                "SWITCH",
                                "Whether runs may be given a network, to the hosts that each names "
                                "(policy.allowNet): off or on."},
    [CONFIG_NETWORK_DEFAULT_HOSTS] =
        {"network.default_hosts", CONFIG_TEXT, 0, 0, "", NULL, NULL, false, "LIST",
         "Hosts of a run that asks for a network and names none, as in policy.allowedHosts, "
         "separated by commas; public is every public host. Empty: such a run is refused."},
    [CONFIG_NETWORK_ALLOW_ANY] = {"network.allow_any", CONFIG_CHOICE, 0, 0, "no", "no yes", NULL,
                                  false, "ANSWER",
                                  "Whether runs may name * for every public host, or a wildcard "
                                  "directly under a public suffix, such as *.com: no or yes."},
    [CONFIG_NETWORK_PRIVATE] =
        {"network.private", CONFIG_TEXT, 0, 0, "", NULL, NULL, false, "LIST",
         "Exceptions from the rule that runs reach public addresses only: names, addresses or "
         "networks, each with a port if wanted, separated by commas, such as "
         "db.internal:5432,10.1.0.0/16. A run still has to name the host; * does not."},
    [CONFIG_NETWORK_BLOCKED_PORTS] = {"network.blocked_ports", CONFIG_TEXT, 0, 0, "25", NULL, NULL,
                                      false, "LIST",
                                      "Ports that no run may name, separated by commas."},
    [CONFIG_NETWORK_RESOLVERS] =
        {"network.resolvers", CONFIG_TEXT, 0, 0, "", NULL, NULL, false, "LIST",
         "Name servers for the hosts that runs name, separated by commas, each with a port if "
         "wanted. Empty: those of the host."},
    [CONFIG_NETWORK_CONNECTIONS] = {"network.connections", CONFIG_NUMBER, 1, 10000, "64", NULL,
                                    NULL, false, "N", "Connections that one run may have at once."},
    [CONFIG_NETWORK_ATTEMPTS] = {"network.attempts", CONFIG_NUMBER, 1, 1000000, "1000", NULL, NULL,
                                 false, "N", "Connections that one run may make in all."},
    [CONFIG_NETWORK_MEGABYTES] = {"network.megabytes", CONFIG_NUMBER, 1, 1000000, "1024", NULL,
                                  NULL, false, "MB", "What one run may send and receive together."},
    [CONFIG_NETWORK_KILOBYTES_PER_SECOND] =
        {"network.kilobytes_per_second", CONFIG_NUMBER, 0, 4000000, "0", NULL, NULL, false, "KB",
         "How fast one run may send and receive together; 0 is no limit."},
    [CONFIG_NETWORK_IDLE_SECONDS] = {"network.idle_seconds", CONFIG_NUMBER, 1, 3600, "60", NULL,
                                     NULL, false, "SECONDS",
                                     "Age of silence at which a run's connection is closed."},
    [CONFIG_RUNTIMES_PYTHON] = {"runtimes.python", CONFIG_TEXT, 0, 0, "", NULL, NULL, false, "LIST",
                                "Python interpreters to put into the sealed root, absolute paths "
                                "separated by commas, the default one first. Empty: "
                                "/usr/bin/python3."},
    [CONFIG_RUNTIMES_NODE] =
        {"runtimes.node", CONFIG_TEXT, 0, 0, "", NULL, NULL, false, "LIST",
         "Node.js interpreters to put into the sealed root, absolute paths "
         "separated by commas, the default one first. Empty: the node on the path."},
    [CONFIG_PACKAGES_ENABLED] = {"packages.enabled", CONFIG_CHOICE, 0, 0, "on", "off on", NULL,
                                 false, "SWITCH",
                                 "Whether packages are installed for runs: on or off."},
    [CONFIG_PACKAGES_PIP_INDEX] = {"packages.pip_index", CONFIG_SECRET, 0, 0, "", NULL, NULL, false,
                                   "URL",
                                   "Index that Python packages come from; may hold a user and a "
                                   "password. Empty: the one that the host's pip is configured to "
                                   "use."},
    [CONFIG_PACKAGES_NPM_REGISTRY] = {"packages.npm_registry", CONFIG_TEXT, 0, 0, "", NULL, NULL,
                                      false, "URL",
                                      "Registry that npm packages come from. Empty: the one that "
                                      "the host's npm is configured to use."},
    [CONFIG_PACKAGES_NPM_CONFIG] = {"packages.npm_config", CONFIG_SECRET, 0, 0, "", NULL, NULL,
                                    false, "LINES",
                                    "Credentials and scopes for npm, as in an .npmrc: lines such "
                                    "as //host/:_authToken=TOKEN and @scope:registry=URL, "
                                    "separated by newlines or semicolons. Empty: those of the "
                                    "host's npm."},
    [CONFIG_PACKAGES_HOSTS] = {"packages.hosts", CONFIG_TEXT, 0, 0, "", NULL, NULL, false, "LIST",
                               "Further hosts, with :port where it is not 443, separated by "
                               "commas, that installs may reach: where an index keeps its files "
                               "elsewhere."},
    [CONFIG_PACKAGES_CACHE_MB] = {"packages.cache_mb", CONFIG_NUMBER, 1, 10000000, "10240", NULL,
                                  NULL, false, "MB",
                                  "Disk space for all installed sets of packages; beyond, the "
                                  "longest unused are removed."},
    [CONFIG_PACKAGES_LAYER_MB] = {"packages.layer_mb", CONFIG_NUMBER, 1, 680, "512", NULL, NULL,
                                  false, "MB", "Largest set of packages."},
    [CONFIG_PACKAGES_MEMORY_MB] = {"packages.memory_mb", CONFIG_NUMBER, 128, DC_MEMORY_MAX_MB,
                                   "1024", NULL, NULL, false, "MB", "Memory of one install."},
    [CONFIG_PACKAGES_INSTALL_SECONDS] = {"packages.install_seconds", CONFIG_NUMBER, 1,
                                         DC_TIMEOUT_MAX_MS / 1000, "60", NULL, NULL, false,
                                         "SECONDS", "Time limit of one install."},
    [CONFIG_PACKAGES_AGE_HOURS] = {"packages.age_hours", CONFIG_NUMBER, 1, 100000, "24", NULL, NULL,
                                   false, "HOURS",
                                   "Age after which packages without an exact version are "
                                   "resolved again."},
    [CONFIG_PACKAGES_PIP_SOURCE] = {"packages.pip_source", CONFIG_CHOICE, 0, 0, "off", "off on",
                                    NULL, false, "SWITCH",
                                    "Also install Python packages that have to be built, which "
                                    "runs their code in the sandbox of the install: on or off."},
    [CONFIG_PACKAGES_NPM_SCRIPTS] = {"packages.npm_scripts", CONFIG_CHOICE, 0, 0, "off", "off on",
                                     NULL, false, "SWITCH",
                                     "Run install scripts of npm packages, in the sandbox of the "
                                     "install: on or off."},
    [CONFIG_PACKAGES_WARM] = {"packages.warm", CONFIG_TEXT, 0, 0, "", NULL, NULL, false, "LIST",
                              "Sets of packages that are installed ahead, such as `python: numpy "
                              "pandas; node: lodash`."},
    [CONFIG_PACKAGES_ZYGOTES] = {"packages.zygotes", CONFIG_CHOICE, 0, 0, "used", "off warm used",
                                 NULL, false, "CHOICE",
                                 "Which packages are imported before the run that wants them: off, "
                                 "none; warm, the first 8 sets of packages.warm, in zygotes: their "
                                 "code runs there, so list what you trust; used, also those that a "
                                 "project uses often, in sealed spares of the project's own."},
    [CONFIG_PACKAGES_ZYGOTE_MB] = {"packages.zygote_mb", CONFIG_NUMBER, 0, 1000000, "1024", NULL,
                                   NULL, false, "MB",
                                   "Memory for packages that are imported ahead; beyond, the "
                                   "longest unused give way; 0: none are."},
    [CONFIG_OUTBOUND_PROXY] =
        {"outbound.proxy", CONFIG_TEXT, 0, 0, "", NULL, NULL, false, "URL",
         "HTTP proxy, such as http://proxy:3128, for requests that the server makes itself. Empty: "
         "none; the environment's http_proxy and its like do not count."},
    [CONFIG_OUTBOUND_CA_FILE] = {"outbound.ca_file", CONFIG_TEXT, 0, 0, "", NULL, NULL, false,
                                 "FILE",
                                 "Certificates, in PEM, that requests of the server itself trust. "
                                 "Empty: the system's. Read "
                                 "once, at the start."},
    [CONFIG_ANONYMOUS_ENABLED] =
        {"anonymous.enabled", CONFIG_CHOICE, 0, 0, "no", "no yes", NULL, false, "ANSWER",
         "Whether this server's own pages may run programs for people without an account: no or "
         "yes. Such runs belong to a project of their own, which is never billed, and have no "
         "network; `docle projects suspend` stops them at once."},
    [CONFIG_ANONYMOUS_TIMEOUT_MS] = {"anonymous.timeout_ms", CONFIG_NUMBER, DC_TIMEOUT_MIN_MS,
                                     DC_TIMEOUT_MAX_MS, "3000", NULL, NULL, false, "MS",
                                     "Ceiling of policy.timeoutMs without an account."},
    [CONFIG_ANONYMOUS_MEMORY_MB] = {"anonymous.memory_mb", CONFIG_NUMBER, DC_MEMORY_MIN_MB,
                                    DC_MEMORY_MAX_MB, "128", NULL, NULL, false, "MB",
                                    "Ceiling of policy.memoryMB without an account."},
    [CONFIG_ANONYMOUS_RUNS_PER_MINUTE] =
        {"anonymous.runs_per_minute", CONFIG_NUMBER, 1, 60000, "6", NULL, NULL, false, "N",
         "Runs in a minute of one client address without an account; beyond, 429. IPv6: of a /64 "
         "network."},
    [CONFIG_ANONYMOUS_RUNNING] = {"anonymous.running", CONFIG_NUMBER, 1, 10000, "2", NULL, NULL,
                                  false, "N",
                                  "Runs without an account that may wait or execute at once, of "
                                  "all addresses; beyond, 429."},
    [CONFIG_ANONYMOUS_PACKAGES] = {"anonymous.packages", CONFIG_CHOICE, 0, 0, "no", "no yes", NULL,
                                   false, "ANSWER",
                                   "Whether runs without an account may have packages installed: "
                                   "no or yes."},
    [CONFIG_UI_ENABLED] = {"ui.enabled", CONFIG_CHOICE, 0, 0, "yes", "no yes", NULL, false,
                           "ANSWER", "Serve the web console: no or yes."},
    [CONFIG_UI_DIR] = {"ui.dir", CONFIG_TEXT, 0, 0, "", NULL, NULL, false, "DIR",
                       "Folder with the files of a web console, read at the start in place of "
                       "those that the program holds. Empty: the program's."},
    [CONFIG_WEBHOOKS_PRIVATE] =
        {"webhooks.private", CONFIG_TEXT, 0, 0, "", NULL, NULL, false, "LIST",
         "Exceptions from the rule that webhooks of projects reach public addresses only: names, "
         "addresses or networks, each with a port if wanted, separated by commas, as in "
         "network.private."},
    [CONFIG_WEBHOOKS_PLAIN] = {"webhooks.plain", CONFIG_CHOICE, 0, 0, "no", "no yes", NULL, false,
                               "ANSWER",
                               "Whether webhooks of projects may go to http:// too: no or yes."},
    [CONFIG_APP_NAME] = {"app.name", CONFIG_TEXT, 0, 0, "Docle", NULL, "APP_NAME", true, "TEXT",
                         "What this service is called in mails and pages."},
    [CONFIG_APP_URL] =
        {"app.url", CONFIG_TEXT, 0, 0, "http://localhost:8787", NULL, "APP_URL", false, "URL",
         "Address that people open in their browsers, without a path; where it is not "
         "set, the port is that of listen. With https cookies are for HTTPS alone."},
    [CONFIG_AUTH_SIGNUP] = {"auth.signup", CONFIG_CHOICE, 0, 0, "invite",
                            "open domains invite closed", NULL, true, "WHO",
                            "Who may make an account: open (anybody), domains (addresses of "
                            "auth.domains, and the invited), invite (the invited) or closed."},
    [CONFIG_AUTH_DOMAINS] = {"auth.domains", CONFIG_TEXT, 0, 0, "", NULL, NULL, true, "LIST",
                             "Domains of addresses that may make an account, separated by commas; "
                             "*.example.com is what is below example.com."},
    [CONFIG_AUTH_OPERATORS] =
        {"auth.operators", CONFIG_TEXT, 0, 0, "", NULL, NULL, true, "LIST",
         "Addresses that become operators of the server when they sign in. Without any, the first "
         "to sign in does, if he asks from the server's own machine or reads its console."},
    [CONFIG_AUTH_LINKS_PER_CLIENT] = {"auth.links_per_client", CONFIG_NUMBER, 0, 1000000, "5", NULL,
                                      NULL, true, "N",
                                      "Sign-in links that one client may ask for within "
                                      "auth.link_minutes; 0: no limit."},
    [CONFIG_AUTH_LINKS_PER_ADDRESS] = {"auth.links_per_address", CONFIG_NUMBER, 0, 1000000, "5",
                                       NULL, NULL, true, "N",
                                       "Sign-in links for one address within auth.link_minutes; "
                                       "0: no limit."},
    [CONFIG_AUTH_LINK_MINUTES] = {"auth.link_minutes", CONFIG_NUMBER, 1, 1440, "15", NULL, NULL,
                                  true, "MINUTES", "How long a sign-in link works."},
    [CONFIG_AUTH_SESSION_DAYS] = {"auth.session_days", CONFIG_NUMBER, 1, 365, "30", NULL, NULL,
                                  true, "DAYS", "How long a session lasts."},
    [CONFIG_AUTH_INVITATION_DAYS] = {"auth.invitation_days", CONFIG_NUMBER, 1, 365, "7", NULL, NULL,
                                     true, "DAYS", "How long an invitation waits."},
    [CONFIG_AUTH_INVITATIONS_PER_ADDRESS] =
        {"auth.invitations_per_address", CONFIG_NUMBER, 0, 1000000, "5", NULL, NULL, true, "N",
         "Invitations that one address gets within a day from all projects, withdrawn ones with "
         "them; 0: no limit."},
    [CONFIG_AUTH_INVITATIONS_PER_PROJECT] =
        {"auth.invitations_per_project", CONFIG_NUMBER, 0, 1000000, "100", NULL, NULL, true, "N",
         "Invitations that one project sends within a day; 0: no limit."},
    [CONFIG_ENVIRONMENT] = {"environment", CONFIG_CHOICE, 0, 0, "development",
                            "development production", "ENVIRONMENT", false, "KIND",
                            "What the server is for. production: it does not start without a way "
                            "out for mails, unless mail.console is "
                            "yes, and warns of an app.url without https. development: without one, "
                            "links are printed."},
    [CONFIG_MAIL_CONSOLE] =
        {"mail.console", CONFIG_CHOICE, 0, 0, "auto", "auto yes no", NULL, true, "ANSWER",
         "Whether links are printed on standard output when there is neither Resend nor SMTP: yes; "
         "no, the server "
         "does not start without a way out; auto, yes in development and no in production."},
    [CONFIG_MAIL_AT_ONCE] = {"mail.at_once", CONFIG_NUMBER, 1, MAILS_AT_ONCE_MAX, "4", NULL, NULL,
                             true, "N", "Mails that may be leaving at once, to different people."},
    [CONFIG_MAIL_FROM] = {"mail.from", CONFIG_TEXT, 0, 0, "", NULL, "EMAIL_FROM", true, "SENDER",
                          "Sender of mails, such as Docle <no-reply@example.com>. Needed with "
                          "Resend or SMTP; without either, links are printed on standard output."},
    [CONFIG_RESEND_API_KEY] = {"resend.api_key", CONFIG_SECRET, 0, 0, "", NULL, "RESEND_API_KEY",
                               true, "KEY", "Key of Resend, through which mails then leave."},
    [CONFIG_RESEND_URL] = {"resend.url", CONFIG_TEXT, 0, 0, "https://api.resend.com", NULL, NULL,
                           true, "URL", "Address of Resend's interface."},
    [CONFIG_SMTP_URL] = {"smtp.url", CONFIG_TEXT, 0, 0, "", NULL, NULL, true, "URL",
                         "Server through which mails leave, when there is no key of Resend: "
                         "smtp://HOST:587, which must offer STARTTLS, or smtps://HOST:465."},
    [CONFIG_SMTP_USER] = {"smtp.user", CONFIG_TEXT, 0, 0, "", NULL, NULL, true, "NAME",
                          "Name to sign in there with. Empty: without signing in."},
    [CONFIG_SMTP_PASSWORD] = {"smtp.password", CONFIG_SECRET, 0, 0, "", NULL, NULL, true, "TEXT",
                              "Password to that name."},
    [CONFIG_SMTP_PLAIN] = {"smtp.plain", CONFIG_CHOICE, 0, 0, "no", "no yes", NULL, true, "ANSWER",
                           "Whether mails may go to smtp:// without TLS, such as to this machine: "
                           "no or yes."},
    [CONFIG_REPOS_ENABLED] = {"repos.enabled", CONFIG_CHOICE, 0, 0, "on", "off on", NULL, false,
                              "SWITCH", "Whether runs may name a repository: off or on."},
    [CONFIG_REPOS_API_URL] = {"repos.api_url", CONFIG_TEXT, 0, 0, "https://api.github.com", NULL,
                              NULL, false, "URL",
                              "Where repositories are asked for: GitHub's API or one that is like "
                              "it. May be on a private network."},
    [CONFIG_REPOS_HOST] = {"repos.host", CONFIG_TEXT, 0, 0, "github.com", NULL, NULL, false, "HOST",
                           "The host of URLs that runs name repositories by; others are refused."},
    [CONFIG_REPOS_TOKEN] = {"repos.token", CONFIG_SECRET, 0, 0, "", NULL, NULL, false, "TOKEN",
                            "Token for the API: a higher rate, and private repositories, which "
                            "every project may then run. Empty: none."},
    [CONFIG_REPOS_CACHE_MB] = {"repos.cache_mb", CONFIG_NUMBER, 0, 4096, "64", NULL, NULL, false,
                               "MB", "Memory for repositories, which are kept for five minutes."},
    [CONFIG_BILLING_STRIPE_KEY] = {"billing.stripe_key", CONFIG_SECRET, 0, 0, "", NULL,
                                   "STRIPE_SECRET_KEY", false, "KEY",
                                   "Stripe's secret key, or a restricted one."},
    [CONFIG_BILLING_STRIPE_URL] = {"billing.stripe_url", CONFIG_TEXT, 0, 0,
                                   "https://api.stripe.com", NULL, NULL, false, "URL",
                                   "Where Stripe's API is."},
    [CONFIG_BILLING_WEBHOOK_SECRET] = {"billing.webhook_secret", CONFIG_SECRET, 0, 0, "", NULL,
                                       "STRIPE_WEBHOOK_SECRET", false, "SECRET",
                                       "Signing secret of Stripe's webhook endpoint, whsec_…."},
    [CONFIG_BILLING_WEBHOOK_SECRET_OLD] =
        {"billing.webhook_secret_old", CONFIG_SECRET, 0, 0, "", NULL, NULL, false, "SECRET",
         "The signing secret before it was rolled, taken besides."},
    [CONFIG_BILLING_METER_SECRET] =
        {"billing.meter_webhook_secret", CONFIG_SECRET, 0, 0, "", NULL,
         "STRIPE_METER_WEBHOOK_SECRET", false, "SECRET",
         "Signing secret of Stripe's event destination for errors of meters, which sends to the "
         "same address."},
    [CONFIG_BILLING_PRICE_ID] = {"billing.price_id", CONFIG_TEXT, 0, 0, "", NULL, "STRIPE_PRICE_ID",
                                 false, "ID",
                                 "Stripe's price of a run: metered, backed by a meter."},
    [CONFIG_BILLING_CPU_PRICE_ID] = {"billing.cpu_price_id", CONFIG_TEXT, 0, 0, "", NULL,
                                     "STRIPE_CPU_PRICE_ID", false, "ID",
                                     "Stripe's price of a millisecond of CPU time. Empty: CPU time "
                                     "is not billed."},
    [CONFIG_BILLING_EVENTS_URL] = {"billing.events_url", CONFIG_TEXT, 0, 0, "", NULL, NULL, false,
                                   "URL", "Where usage goes with billing cloudevents."},
    [CONFIG_BILLING_EVENTS_TOKEN] = {"billing.events_token", CONFIG_SECRET, 0, 0, "", NULL, NULL,
                                     false, "TOKEN", "Bearer token for that receiver."},
    [CONFIG_BILLING_EVENTS_FORMAT] =
        {"billing.events_format", CONFIG_CHOICE, 0, 0, "cloudevents", "cloudevents lago", NULL,
         false, "FORMAT",
         "How usage is written there: cloudevents (OpenMeter and others) or lago."},
    [CONFIG_BILLING_BATCH_SECONDS] = {"billing.batch_seconds", CONFIG_NUMBER, 1, 3600, "60", NULL,
                                      NULL, false, "SECONDS",
                                      "How often what was used is put into a batch and told."},
    [CONFIG_BILLING_PER_SECOND] = {"billing.per_second", CONFIG_NUMBER, 1, 500, "10", NULL, NULL,
                                   false, "N", "Most requests with usage in a second."},
    [CONFIG_BILLING_LATE] = {"billing.late", CONFIG_CHOICE, 0, 0, "next", "next write-off", NULL,
                             false, "ANSWER",
                             "What becomes of usage whose invoice was final before it could be "
                             "told: it counts in the next period (next), or nobody pays for it "
                             "(write-off)."},
    [CONFIG_BILLING_PAST_DUE_DAYS] =
        {"billing.past_due_days", CONFIG_NUMBER, 0, 90, "7", NULL, NULL, false, "DAYS",
         "How long a project whose payment has failed keeps the plan pro. Then it has the limits "
         "of the plan free, and is not billed, until it pays. 0: as long as Stripe tries."},
};
