-- Subscriptions that have to end at Stripe because their project is gone. Made in the transaction that
-- deletes the project; done_at is set when Stripe shows the end.
CREATE TABLE cancels (
    subscription TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    requested_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    next_at BIGINT NOT NULL,
    message TEXT,
    done_at BIGINT
);
CREATE INDEX cancels_open ON cancels (next_at) WHERE done_at IS NULL;

-- Work that one server does at a time. token grows with each taking over: who holds an older one has
-- lost it. expires_at goes by the store's clock.
CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    token BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- What operators have to know: one open row of a kind, told of once.
CREATE TABLE incidents (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL,
    count BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    mailed_at BIGINT,
    closed_at BIGINT
);
CREATE UNIQUE INDEX incidents_open ON incidents (kind) WHERE closed_at IS NULL;
CREATE INDEX incidents_kind ON incidents (kind, opened_at);

-- The identifier that an event had before somebody had it told again.
ALTER TABLE meter_events ADD COLUMN former_id TEXT;
-- When Stripe was asked for the invoice of a period that was over before the event was ever sent.
ALTER TABLE meter_events ADD COLUMN asked_at BIGINT;
-- What an event comes to at the ledger's prices; amount_micros of runs leaves CPU time out.
ALTER TABLE meter_events ADD COLUMN amount_micros BIGINT NOT NULL DEFAULT 0;
UPDATE meter_events SET amount_micros = COALESCE((SELECT CAST(SUM(l.price_run_micros) AS BIGINT) FROM meter_batch_runs b JOIN ledger l ON l.run_id = b.run_id WHERE b.batch_id = meter_events.batch_id), 0) WHERE meter = 'runs';
UPDATE meter_events SET amount_micros = COALESCE((SELECT CAST(SUM(l.amount_micros - l.price_run_micros) AS BIGINT) FROM meter_batch_runs b JOIN ledger l ON l.run_id = b.run_id WHERE b.batch_id = meter_events.batch_id), 0) WHERE meter = 'cpu_ms';
-- Since when a payment is so long overdue that the project is treated as free. NULL: it is not.
ALTER TABLE billing_accounts ADD COLUMN lapsed_at BIGINT;

CREATE TABLE outbox_new (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('signin', 'invitation', 'budget', 'incident')),
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
