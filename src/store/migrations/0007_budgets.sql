-- A month's spending that reached 50, 75 or 100 percent of a budget: told once. kind: key, project,
-- user; subject: its id. Whoever tells somebody of it sets sent_at.
CREATE TABLE budget_events (
    kind TEXT NOT NULL CHECK (kind IN ('key', 'project', 'user')),
    project_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    period BIGINT NOT NULL,
    threshold BIGINT NOT NULL,
    amount_micros BIGINT NOT NULL,
    budget_micros BIGINT NOT NULL,
    at BIGINT NOT NULL,
    sent_at BIGINT,
    PRIMARY KEY (kind, project_id, subject, period, threshold)
);
CREATE INDEX budget_events_unsent ON budget_events (at) WHERE sent_at IS NULL;
