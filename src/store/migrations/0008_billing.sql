-- Who pays, and what of the ledger was told to the meter. The ledger is never changed: a billable run
-- enters meter_pending in the transaction of its ledger row, and leaves it in the one that makes it
-- part of a batch. Whatever order transactions commit in, a run is in exactly one of the two.
-- Moments of Stripe's come in seconds and are kept in nanoseconds like all others.

-- metered_from, metered_until: runs admitted in between are billed. status is Stripe's word.
CREATE TABLE billing_accounts (
    project_id TEXT PRIMARY KEY,
    customer TEXT,
    subscription TEXT,
    status TEXT,
    metered_from BIGINT,
    metered_until BIGINT,
    period_start BIGINT,
    period_end BIGINT,
    past_due_at BIGINT,
    ends_with_period BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX billing_accounts_customer ON billing_accounts (customer);

CREATE TABLE meter_pending (
    run_id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    cpu_ms BIGINT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX meter_pending_project ON meter_pending (project_id, at);

CREATE TABLE meter_batch_runs (
    run_id TEXT PRIMARY KEY,
    batch_id TEXT NOT NULL
);
CREATE INDEX meter_batch_runs_batch ON meter_batch_runs (batch_id);

-- What the meter is told, once: value and moment are frozen. id is the identifier there. first_sent_at:
-- from then on the meter may have it. key_number: of the request's idempotency key, see docs.
CREATE TABLE meter_events (
    id TEXT PRIMARY KEY,
    batch_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    meter TEXT NOT NULL CHECK (meter IN ('runs', 'cpu_ms')),
    value BIGINT NOT NULL,
    at BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'sending', 'acked', 'ambiguous', 'dead', 'written_off')),
    attempts BIGINT NOT NULL DEFAULT 0,
    key_number BIGINT NOT NULL DEFAULT 0,
    first_sent_at BIGINT,
    next_at BIGINT NOT NULL,
    settled_at BIGINT,
    message TEXT
);
CREATE INDEX meter_events_due ON meter_events (state, next_at);
CREATE INDEX meter_events_time ON meter_events (at, project_id);
CREATE INDEX meter_events_project ON meter_events (project_id, state);

-- Webhooks that arrived; each is a hint to read an object again.
CREATE TABLE stripe_events (
    id TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    object_id TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    handled_at BIGINT,
    attempts BIGINT NOT NULL DEFAULT 0,
    next_at BIGINT NOT NULL
);
CREATE INDEX stripe_events_open ON stripe_events (next_at) WHERE handled_at IS NULL;
CREATE INDEX stripe_events_age ON stripe_events (received_at);

-- Amounts in the currency's smallest unit, as Stripe counts. failed_at: of the last failed payment.
CREATE TABLE invoices (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    number TEXT,
    status TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount_due BIGINT NOT NULL,
    amount_paid BIGINT NOT NULL,
    period_start BIGINT NOT NULL,
    period_end BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    finalized_at BIGINT,
    paid_at BIGINT,
    failed_at BIGINT,
    url TEXT,
    pdf TEXT,
    updated_at BIGINT NOT NULL
);
CREATE INDEX invoices_project ON invoices (project_id, created_at);
