/*
 * The operator's settings. One table (config_keys.c) drives parsing, checking, the flags of `docle
 * serve`, the dump of `docle config` and the list in docle.conf(5). A value comes from, strongest
 * first: flag, environment, file, default. What is not in the table is refused, with the nearest
 * name. CLI processes only: the layers below get numbers, never this struct.
 *
 * Lifecycle: config_init; config_set for each flag; config_load; config_release. To read the file
 * again, make a second struct from the same flags and compare with config_changed.
 */
#ifndef DOCLE_CLI_CONFIG_H
#define DOCLE_CLI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

enum { CONFIG_TEXT_MAX = 4096, CONFIG_FILE_MAX_BYTES = 1 << 20 };

enum config_id {
    CONFIG_LISTEN,
    CONFIG_DATA_DIR,
    CONFIG_ROOT_DIR,
    CONFIG_FLOOR,
    CONFIG_SLOTS,
    CONFIG_UID_BASE,
    CONFIG_TRUSTED_PROXIES,
    CONFIG_SERVER_USER,
    CONFIG_SERVER_DRAIN_SECONDS,
    CONFIG_SERVER_CONNECTIONS,
    CONFIG_METRICS_TOKEN,
    CONFIG_LOG_LEVEL,
    CONFIG_HISTORY_DAYS,
    CONFIG_QUEUE_MAX,
    CONFIG_QUEUE_WAIT_SECONDS,
    CONFIG_PROJECT_RUNNING,
    CONFIG_PROJECT_QUEUED,
    CONFIG_BILLING,
    CONFIG_FREE_RUNS,
    CONFIG_FREE_TIMEOUT_MS,
    CONFIG_FREE_MEMORY_MB,
    CONFIG_FREE_INSTALL_SECONDS,
    CONFIG_PRO_TIMEOUT_MS,
    CONFIG_PRO_MEMORY_MB,
    CONFIG_PRICE_RUN,
    CONFIG_PRICE_CPU_MS,
    CONFIG_PRICE_CURRENCY,
    CONFIG_RATE_OPEN,
    CONFIG_RATE_USER,
    CONFIG_LIMITS_TIMEOUT_MS,
    CONFIG_LIMITS_MEMORY_MB,
    CONFIG_LIMITS_DISK_MB,
    CONFIG_LIMITS_PROCESSES,
    CONFIG_LIMITS_CPUS,
    CONFIG_LIMITS_CPU_MS,
    CONFIG_LIMITS_OUTPUT_BYTES,
    CONFIG_LIMITS_BODY_BYTES,
    CONFIG_SPARES_PYTHON,
    CONFIG_SPARES_NODE,
    CONFIG_ZYGOTE_FORKS,
    CONFIG_ZYGOTE_AGE_SECONDS,
    CONFIG_NETWORK_ENABLED,
    CONFIG_NETWORK_DEFAULT_HOSTS,
    CONFIG_NETWORK_ALLOW_ANY,
    CONFIG_NETWORK_PRIVATE,
    CONFIG_NETWORK_BLOCKED_PORTS,
    CONFIG_NETWORK_RESOLVERS,
    CONFIG_NETWORK_CONNECTIONS,
    CONFIG_NETWORK_ATTEMPTS,
    CONFIG_NETWORK_MEGABYTES,
    CONFIG_NETWORK_KILOBYTES_PER_SECOND,
    CONFIG_NETWORK_IDLE_SECONDS,
    CONFIG_RUNTIMES_PYTHON,
    CONFIG_RUNTIMES_NODE,
    CONFIG_PACKAGES_ENABLED,
    CONFIG_PACKAGES_PIP_INDEX,
    CONFIG_PACKAGES_NPM_REGISTRY,
    CONFIG_PACKAGES_NPM_CONFIG,
    CONFIG_PACKAGES_HOSTS,
    CONFIG_PACKAGES_CACHE_MB,
    CONFIG_PACKAGES_LAYER_MB,
    CONFIG_PACKAGES_MEMORY_MB,
    CONFIG_PACKAGES_INSTALL_SECONDS,
    CONFIG_PACKAGES_AGE_HOURS,
    CONFIG_PACKAGES_PIP_SOURCE,
    CONFIG_PACKAGES_NPM_SCRIPTS,
    CONFIG_PACKAGES_WARM,
    CONFIG_PACKAGES_ZYGOTES,
    CONFIG_PACKAGES_ZYGOTE_MB,
    CONFIG_OUTBOUND_PROXY,
    CONFIG_OUTBOUND_CA_FILE,
    CONFIG_ANONYMOUS_ENABLED,
    CONFIG_ANONYMOUS_TIMEOUT_MS,
    CONFIG_ANONYMOUS_MEMORY_MB,
    CONFIG_ANONYMOUS_RUNS_PER_MINUTE,
    CONFIG_ANONYMOUS_RUNNING,
    CONFIG_ANONYMOUS_PACKAGES,
    CONFIG_UI_ENABLED,
    CONFIG_UI_DIR,
    CONFIG_WEBHOOKS_PRIVATE,
    CONFIG_WEBHOOKS_PLAIN,
    CONFIG_APP_NAME,
    CONFIG_APP_URL,
    CONFIG_AUTH_SIGNUP,
    CONFIG_AUTH_DOMAINS,
    CONFIG_AUTH_OPERATORS,
    CONFIG_AUTH_LINKS_PER_CLIENT,
    CONFIG_AUTH_LINKS_PER_ADDRESS,
    CONFIG_AUTH_LINK_MINUTES,
    CONFIG_AUTH_SESSION_DAYS,
    CONFIG_AUTH_INVITATION_DAYS,
    CONFIG_AUTH_INVITATIONS_PER_ADDRESS,
    CONFIG_AUTH_INVITATIONS_PER_PROJECT,
    CONFIG_ENVIRONMENT,
    CONFIG_MAIL_FROM,
    CONFIG_MAIL_CONSOLE,
    CONFIG_MAIL_AT_ONCE,
    CONFIG_RESEND_API_KEY,
    CONFIG_RESEND_URL,
    CONFIG_SMTP_URL,
    CONFIG_SMTP_USER,
    CONFIG_SMTP_PASSWORD,
    CONFIG_SMTP_PLAIN,
    CONFIG_REPOS_ENABLED,
    CONFIG_REPOS_API_URL,
    CONFIG_REPOS_HOST,
    CONFIG_REPOS_TOKEN,
    CONFIG_REPOS_CACHE_MB,
    CONFIG_BILLING_STRIPE_KEY,
    CONFIG_BILLING_STRIPE_URL,
    CONFIG_BILLING_WEBHOOK_SECRET,
    CONFIG_BILLING_WEBHOOK_SECRET_OLD,
    CONFIG_BILLING_METER_SECRET,
    CONFIG_BILLING_PRICE_ID,
    CONFIG_BILLING_CPU_PRICE_ID,
    CONFIG_BILLING_EVENTS_URL,
    CONFIG_BILLING_EVENTS_TOKEN,
    CONFIG_BILLING_EVENTS_FORMAT,
    CONFIG_BILLING_BATCH_SECONDS,
    CONFIG_BILLING_PER_SECOND,
    CONFIG_BILLING_LATE,
    CONFIG_BILLING_PAST_DUE_DAYS,
    CONFIG_KEYS
};

enum config_type {
    CONFIG_TEXT,
    CONFIG_PATH,           /* "~" at the start is the user's home; made absolute */
    CONFIG_LISTEN_ADDRESS, /* host:port, [v6]:port */
    CONFIG_NUMBER,
    CONFIG_CENTI, /* decimal with two places, kept in hundredths */
    CONFIG_CHOICE,
    CONFIG_SECRET, /* never shown; NAME_FILE names a file that holds it */
};

enum config_source { CONFIG_FROM_DEFAULT, CONFIG_FROM_FILE, CONFIG_FROM_ENV, CONFIG_FROM_FLAG };

struct config_key {
    const char *name; /* "history.days": key `days` in section [history]; DOCLE_HISTORY_DAYS;
                         --history-days */
    enum config_type type;
    uint32_t low, high;   /* of numbers */
    const char *fallback; /* default, as text; NULL: see config_default_text() */
    const char *choices;  /* "limited standard full"; of CONFIG_CHOICE */
    const char *alias;    /* a further environment name, without DOCLE_; or NULL */
    bool reload;          /* SIGHUP takes a new value over */
    const char *argument; /* what the value is called in help texts */
    const char *help;     /* one sentence or more, without the default */
};

extern const struct config_key config_keys[CONFIG_KEYS];

struct config_value {
    const char *text; /* as given, after expansion; never NULL after config_load */
    uint32_t number;  /* of numbers, hundredths of CENTI, index of CHOICE */
    enum config_source source;
};

struct config {
    struct config_value values[CONFIG_KEYS];
    const char *file;        /* the file that was read, or NULL */
    const char *wanted_file; /* by flag, or NULL */
    /* What was in force, when the settings are read again: a secret whose file is out of reach by
     * now stays as it was there. NULL: such a file is an error. */
    const struct config *before;
    bool kept[CONFIG_KEYS]; /* secrets that did */
    bool skip_secrets;      /* read no file that a value names: its secret is empty */
    struct dc_arena arena;
};

void config_init(struct config *config);
void config_release(struct config *config); /* accepts NULL */

static inline void config_release_auto(struct config *config)
{
    config_release(config);
}

/* A flag: takes precedence over all else. DC_INVALID says what would be right. */
DC_MUST int config_set(struct config *config, enum config_id id, const char *text,
                       struct dc_err *err);
/* --config FILE. */
DC_MUST int config_set_file(struct config *config, const char *path, struct dc_err *err);

/* Reads environment and file and fills in the defaults. environment: as environ(7). */
DC_MUST int config_load(struct config *config, char *const *environment, struct dc_err *err);

/* Takes the values that the text of a file holds; a part of config_load. */
DC_MUST int config_parse_file(struct config *config, const char *text, struct dc_err *err);

/* "1.5" → 150, at most max hundredths. For options of commands. */
DC_MUST int config_parse_centi(const char *text, uint32_t max, uint32_t *ret_centi,
                               struct dc_err *err);

/* Key of a name as it stands in the file; CONFIG_KEYS when there is none. */
enum config_id config_find(const char *name);

static inline const char *config_text(const struct config *config, enum config_id id)
{
    return config->values[id].text;
}

static inline uint32_t config_number(const struct config *config, enum config_id id)
{
    return config->values[id].number;
}

/* NULL for an empty text. */
const char *config_text_or_null(const struct config *config, enum config_id id);

/* Host and port of `listen`. host: 64 bytes. */
void config_listen(const struct config *config, char host[static 64], uint16_t *ret_port);

/* Do the two differ in this key? */
bool config_changed(const struct config *one, const struct config *two, enum config_id id);

/* "DOCLE_HISTORY_DAYS"; "history-days". size 64 is enough for both. */
void config_env_name(enum config_id id, char *out, size_t size);
void config_flag_name(enum config_id id, char *out, size_t size);

/* The default as text, for this user. Borrowed from the arena. NULL without memory. */
const char *config_default_text(enum config_id id, struct dc_arena *arena);

/* For people: the default as a manual says it. */
const char *config_default_described(enum config_id id);

/* Appends all values: "key = value" lines with their sources, or JSON. Secrets are not shown. */
void config_print(const struct config *config, bool json, struct dc_buf *out);
/* Appends the list of keys in mdoc(7) for docle.conf(5). */
void config_print_mdoc(struct dc_buf *out);

/* The word of list (separated by spaces) that is nearest to word, at most two slips away; false
 * when none is. */
bool config_nearest(const char *word, const char *const *list, size_t count, const char **ret_near);

#endif
