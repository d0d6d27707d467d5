-- What lists and the page of a run show besides. packages: how many were asked for; error_line: of
-- standard error, the line that says what went wrong; install_ns: until they were installed.
ALTER TABLE runs ADD COLUMN packages BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN error_line TEXT;
ALTER TABLE runs ADD COLUMN install_ns BIGINT NOT NULL DEFAULT 0;

-- The beginning of the program, which lists show and search. It stands before the request, so that
-- reading it does not read a large request.
CREATE TABLE run_requests_new (
    run_id TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    head TEXT,
    request BYTEA NOT NULL
);
INSERT INTO run_requests_new (run_id, head, request) SELECT run_id, NULL, request FROM run_requests;
DROP TABLE run_requests;
ALTER TABLE run_requests_new RENAME TO run_requests;

-- Small: runs that went well, and runs without an end user, are in neither.
CREATE INDEX runs_failed ON runs (project_id, created_at, id, outcome) WHERE outcome <> 'ok';
CREATE INDEX runs_user ON runs (project_id, user_id, created_at, id) WHERE user_id IS NOT NULL;
