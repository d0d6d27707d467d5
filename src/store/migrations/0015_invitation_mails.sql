-- Invitations that were mailed in the last day: they count also when they were withdrawn since.
CREATE TABLE invitation_mails (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    email TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX invitation_mails_email ON invitation_mails (email, at);
CREATE INDEX invitation_mails_project ON invitation_mails (project_id, at);
CREATE INDEX invitation_mails_at ON invitation_mails (at);
