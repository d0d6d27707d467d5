/* API keys in the store, and what each may do. See store.h for conventions. */
#ifndef DOCLE_STORE_KEYS_H
#define DOCLE_STORE_KEYS_H

#include <stdbool.h>

#include "base/uuid.h"
#include "store/hash.h"
#include "store/projects.h"
#include "store/store.h"

enum {
    STORE_RAW_KEY_SIZE = 57,          /* "sk_live_", 48 hex digits, NUL */
    STORE_KEY_PREFIX_SIZE = 13,       /* its first 12 characters and the NUL */
    STORE_RULE_TEXT_MAX_BYTES = 4096, /* domains, networks: each */
};

enum store_key_kind { STORE_KEY_LIVE, STORE_KEY_TEST };

enum store_scopes {
    STORE_SCOPE_RUN = 1u << 0,  /* start and cancel runs */
    STORE_SCOPE_READ = 1u << 1, /* read results, lists, usage */
    STORE_SCOPES_ALL = STORE_SCOPE_RUN | STORE_SCOPE_READ,
};

/* What a key may do. Zeroed: everything its project may. */
struct store_key_rules {
    uint32_t scopes;          /* enum store_scopes; 0 for a new key: all */
    int64_t expires_at;       /* 0: never */
    const char *domains;      /* origins that may use it, as limits/domains.h; NULL: any and none */
    const char *networks;     /* addresses that may, "192.0.2.0/24,2001:db8::1"; NULL: any */
    uint32_t rate_per_minute; /* 0: none */
    uint32_t running_max;     /* runs at once; 0: as the project */
    int64_t budget_micros;    /* of a UTC month; 0: none */
    bool budget_stops;        /* what is over it is refused, not only told */
};

struct store_key {
    char id[DC_UUID_SIZE];
    char project_id[DC_UUID_SIZE];
    char name[STORE_NAME_MAX_BYTES + 1];
    char prefix[STORE_KEY_PREFIX_SIZE];
    enum store_key_kind kind;
    uint8_t hash[STORE_HASH_BYTES]; /* SHA-256 of the raw key */
    int64_t created_at;
    int64_t revoked_at;           /* 0: it was not */
    int64_t last_used_at;         /* 0: never; lags by the batch of store_keys_touch */
    char rolled_to[DC_UUID_SIZE]; /* the key that took its place; "": none */
    struct store_key_rules rules; /* its texts live as long as the array that the key is in */
};

/* Neither revoked nor expired. */
bool store_key_active(const struct store_key *key, int64_t now);

struct store_key_new {
    const char *project_id;
    const char *name; /* may be "" */
    enum store_key_kind kind;
    struct store_key_rules rules;
};

/*
 * Makes a key. raw receives the only copy of the secret there will ever be; wipe it (dc_wipe) after
 * showing it. The texts of *ret_key are those of made. DC_INVALID: the name, or a text too long;
 * DC_NOT_FOUND: no such project.
 */
DC_MUST int store_key_create(struct store_conn *conn, const struct store_key_new *made, int64_t now,
                             char raw[static STORE_RAW_KEY_SIZE], struct store_key *ret_key,
                             struct dc_err *err);

/* One key of a project (NULL: of any), revoked or not; *ret_key is malloc'ed. DC_NOT_FOUND. */
DC_MUST int store_key_get(struct store_conn *conn, const char *project_id, const char *key_id,
                          struct store_key **ret_key, struct dc_err *err);

/* Which members of a change count. */
enum store_key_fields {
    STORE_KEY_NAME = 1u << 0,
    STORE_KEY_SCOPES = 1u << 1,
    STORE_KEY_EXPIRY = 1u << 2,
    STORE_KEY_DOMAINS = 1u << 3,
    STORE_KEY_NETWORKS = 1u << 4,
    STORE_KEY_RATE = 1u << 5,
    STORE_KEY_RUNNING = 1u << 6,
    STORE_KEY_BUDGET = 1u << 7,
    STORE_KEY_BUDGET_STOPS = 1u << 8,
};

struct store_key_change {
    uint32_t fields; /* enum store_key_fields */
    const char *name;
    struct store_key_rules rules;
};

/* Changes some of a key's rules; in force in every server at once. DC_NOT_FOUND; DC_CONFLICT: it
 * was revoked. */
DC_MUST int store_key_change(struct store_conn *conn, const char *project_id, const char *key_id,
                             const struct store_key_change *change, struct dc_err *err);

/*
 * Makes a key with the name and the rules of another one, which goes on for overlap_ns more, at
 * most to its own expiry; 0: it is revoked now. raw as for store_key_create; *ret_key is malloc'ed.
 * DC_NOT_FOUND; DC_CONFLICT: it was revoked, has expired, or was rolled already.
 */
DC_MUST int store_key_roll(struct store_conn *conn, const char *project_id, const char *key_id,
                           int64_t overlap_ns, int64_t now, char raw[static STORE_RAW_KEY_SIZE],
                           struct store_key **ret_key, struct dc_err *err);

/* Final. DC_NOT_FOUND for a key of another project (project_id NULL: of any) or none. A second time
 * succeeds and keeps the first time of revocation. */
DC_MUST int store_key_revoke(struct store_conn *conn, const char *project_id, const char *key_id,
                             int64_t now, struct dc_err *err);

/* Keys of a project (NULL: of all), revoked ones too, oldest first. The caller frees *ret_keys. */
DC_MUST int store_keys_list(struct store_conn *conn, const char *project_id,
                            struct store_key **ret_keys, size_t *ret_count, struct dc_err *err);

/* What a server keeps in memory: all keys that are not revoked, and the version they belong to.
 * Expired ones are among them. */
DC_MUST int store_keys_load(struct store_conn *conn, struct store_key **ret_keys, size_t *ret_count,
                            int64_t *ret_version, struct dc_err *err);

/* A number that grows whenever a key or project is made, changed or revoked, by any process. */
DC_MUST int store_keys_version(struct store_conn *conn, int64_t *ret_version, struct dc_err *err);

/* Records last uses of many keys in one transaction; a time never goes back. */
struct store_key_use {
    char key_id[DC_UUID_SIZE];
    int64_t at;
};
DC_MUST int store_keys_touch(struct store_conn *conn, const struct store_key_use *uses,
                             size_t count, struct dc_err *err);

#endif
