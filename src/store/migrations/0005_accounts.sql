-- People, what they may, and how they sign in. Secrets are kept as SHA-256 alone. Several people may
-- have a project of one name, so names are no longer unique.
DROP INDEX projects_name;
CREATE INDEX projects_name ON projects (name);

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    operator BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT,
    suspended_at BIGINT
);
CREATE UNIQUE INDEX users_email ON users (email);

CREATE TABLE members (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer')),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (project_id, user_id)
);
CREATE INDEX members_user ON members (user_id);

-- project_id: the one that the session works in. old_hash: of the token before the last rotation.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project_id TEXT REFERENCES projects (id) ON DELETE SET NULL,
    hash BYTEA NOT NULL,
    old_hash BYTEA,
    address TEXT NOT NULL,
    agent TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    rotated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX sessions_hash ON sessions (hash);
CREATE INDEX sessions_old_hash ON sessions (old_hash);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_project ON sessions (project_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- One row per request for a sign-in link, also for addresses that will get none: the limits count
-- them. browser_hash: of the cookie of the browser that asked; code_hash: of the code shown there;
-- leads: may make the server's first operator.
CREATE TABLE links (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('browser', 'api', 'operator')),
    browser_hash BYTEA,
    code_hash BYTEA,
    address TEXT NOT NULL,
    leads BIGINT NOT NULL,
    wrong_codes BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX links_email ON links (email, created_at);
CREATE INDEX links_address ON links (address, created_at);
CREATE INDEX links_age ON links (created_at);

-- A link has a token for each attempt at mailing it.
CREATE TABLE link_tokens (
    hash BYTEA PRIMARY KEY,
    link_id TEXT NOT NULL REFERENCES links (id) ON DELETE CASCADE
);
CREATE INDEX link_tokens_link ON link_tokens (link_id);

CREATE TABLE invitations (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    email TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer')),
    invited_by TEXT REFERENCES users (id) ON DELETE SET NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX invitations_project ON invitations (project_id, email);
CREATE INDEX invitations_email ON invitations (email);
CREATE INDEX invitations_inviter ON invitations (invited_by);

-- Who did what, when, from where. Outlives what it speaks of: no foreign keys.
CREATE TABLE audit (
    id TEXT PRIMARY KEY,
    project_id TEXT,
    user_id TEXT,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    address TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX audit_project ON audit (project_id, id);
CREATE INDEX audit_user ON audit (user_id, id);

-- Mails that have to leave. Texts are made when one leaves, so no secret stands here.
CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('signin', 'invitation')),
    recipient TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    error TEXT,
    created_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL
);
CREATE INDEX outbox_due ON outbox (due_at);
