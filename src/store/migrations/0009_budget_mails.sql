-- Mails that tell of a budget. mail_subject: what the outbox calls the event; NULL: no mail told of it.
ALTER TABLE budget_events ADD COLUMN mail_subject TEXT;
CREATE UNIQUE INDEX budget_events_mail ON budget_events (mail_subject);

CREATE TABLE outbox_new (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('signin', 'invitation', 'budget')),
    recipient TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    error TEXT,
    created_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL
);
INSERT INTO outbox_new (id, kind, recipient, subject_id, attempts, error, created_at, due_at)
    SELECT id, kind, recipient, subject_id, attempts, error, created_at, due_at FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_new RENAME TO outbox;
CREATE INDEX outbox_due ON outbox (due_at);
