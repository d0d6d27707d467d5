-- Programs that people share by link. Whoever knows the id may read one: it is 128 random bits.
CREATE TABLE shares (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    user_id TEXT REFERENCES users (id) ON DELETE SET NULL,
    title TEXT NOT NULL,
    lang TEXT NOT NULL,
    request TEXT NOT NULL,
    forked_from TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT
);
CREATE INDEX shares_project ON shares (project_id, created_at, id);
CREATE INDEX shares_user ON shares (user_id);
CREATE INDEX shares_expiry ON shares (expires_at);
