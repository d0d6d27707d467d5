-- Migrations are written in PostgreSQL's words; embed.py derives SQLite's from them: BIGINT becomes
-- INTEGER, BYTEA becomes BLOB, tables become STRICT and, since every key is text that grows with
-- time, WITHOUT ROWID. Lines behind "--sqlite" are for SQLite alone. A migration that was released
-- is never edited: add the next number.
-- Times are nanoseconds UTC since 1970; NULL where there is none.

CREATE TABLE projects (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX projects_name ON projects (name);

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    hash BYTEA NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('live', 'test')),
    created_at BIGINT NOT NULL,
    revoked_at BIGINT,
    last_used_at BIGINT
);
CREATE UNIQUE INDEX api_keys_hash ON api_keys (hash);
CREATE INDEX api_keys_project ON api_keys (project_id, id);

-- How often each kind of thing that servers keep in memory has changed.
CREATE TABLE changes (
    name TEXT PRIMARY KEY,
    version BIGINT NOT NULL
);
INSERT INTO changes (name, version) VALUES ('keys', 0);
