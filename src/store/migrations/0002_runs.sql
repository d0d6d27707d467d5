-- What a list of runs shows; small rows. Inputs and outputs have tables of their own, so that a
-- list does not read them and finishing a run does not write its inputs again.
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    key_id TEXT,
    user_id TEXT,
    lang TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'done')),
    outcome TEXT,
    message TEXT,
    exit_code BIGINT,
    signal BIGINT,
    out_truncated BIGINT NOT NULL DEFAULT 0,
    err_truncated BIGINT NOT NULL DEFAULT 0,
    limits TEXT,
    policy TEXT,
    cpu_ms BIGINT,
    mem_mb BIGINT,
    duration_ms BIGINT,
    cpu_ns BIGINT,
    peak_bytes BIGINT,
    wall_ns BIGINT,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    CHECK ((status = 'done') = (outcome IS NOT NULL))
);
CREATE INDEX runs_project ON runs (project_id, created_at, id);
CREATE INDEX runs_open ON runs (id) WHERE status <> 'done';

CREATE TABLE run_requests (
    run_id TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    request BYTEA NOT NULL
);

CREATE TABLE run_outputs (
    run_id TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    out BYTEA,
    err BYTEA,
    artifacts BYTEA
);

CREATE TABLE idempotency (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    body_hash BYTEA NOT NULL,
    run_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (project_id, key)
);
CREATE INDEX idempotency_run ON idempotency (run_id);
CREATE INDEX idempotency_age ON idempotency (created_at);
