/* Projects and API keys in the store. See store.h for conventions. */
#ifndef DOCLE_STORE_KEYS_H
#define DOCLE_STORE_KEYS_H

#include <stdbool.h>

#include "base/uuid.h"
#include "store/hash.h"
#include "store/store.h"

enum {
    STORE_NAME_MAX_BYTES = 100, /* of projects and keys, UTF-8 */
    STORE_RAW_KEY_SIZE = 57,    /* "sk_live_", 48 hex digits, NUL */
    STORE_KEY_PREFIX_SIZE = 13, /* its first 12 characters and the NUL */
};

struct store_project {
    char id[DC_UUID_SIZE];
    char name[STORE_NAME_MAX_BYTES + 1];
    int64_t created_at;
};

/* Names are unique; DC_INVALID for an empty, over-long or not UTF-8 one. */
DC_MUST int store_project_ensure(struct store_conn *conn, const char *name, int64_t now,
                                 struct store_project *ret_project, struct dc_err *err);
DC_MUST int store_project_get(struct store_conn *conn, const char *id,
                              struct store_project *ret_project, struct dc_err *err);
DC_MUST int store_project_find(struct store_conn *conn, const char *name,
                               struct store_project *ret_project, struct dc_err *err);

/* All projects by age, oldest first; *ret_projects is malloc'ed, the caller frees it. */
DC_MUST int store_projects_list(struct store_conn *conn, struct store_project **ret_projects,
                                size_t *ret_count, struct dc_err *err);

enum store_key_kind { STORE_KEY_LIVE, STORE_KEY_TEST };

struct store_key {
    char id[DC_UUID_SIZE];
    char project_id[DC_UUID_SIZE];
    char name[STORE_NAME_MAX_BYTES + 1];
    char prefix[STORE_KEY_PREFIX_SIZE];
    enum store_key_kind kind;
    uint8_t hash[STORE_HASH_BYTES]; /* SHA-256 of the raw key */
    int64_t created_at;
    int64_t revoked_at;   /* 0: active */
    int64_t last_used_at; /* 0: never; lags by the batch of store_keys_touch */
};

/*
 * Makes a key. raw receives the only copy of the secret there will ever be; wipe it (dc_wipe) after
 * showing it. name may be "".
 */
DC_MUST int store_key_create(struct store_conn *conn, const char *project_id, const char *name,
                             enum store_key_kind kind, int64_t now,
                             char raw[static STORE_RAW_KEY_SIZE], struct store_key *ret_key,
                             struct dc_err *err);

/* Final. DC_NOT_FOUND for a key of another project (project_id NULL: of any) or none. A second time
 * succeeds and keeps the first time of revocation. */
DC_MUST int store_key_revoke(struct store_conn *conn, const char *project_id, const char *key_id,
                             int64_t now, struct dc_err *err);

/* Keys of a project (NULL: of all), revoked ones too, oldest first. The caller frees *ret_keys. */
DC_MUST int store_keys_list(struct store_conn *conn, const char *project_id,
                            struct store_key **ret_keys, size_t *ret_count, struct dc_err *err);

/* What a server keeps in memory: all keys that are not revoked, and the version they belong to. */
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
