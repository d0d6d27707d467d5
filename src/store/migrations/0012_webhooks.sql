-- Where a project is told of what happens to it. Secrets stand here as they are, since requests are
-- signed with them. old_secret signs beside the new one until old_until. failures: in a row; next_at: when
-- the receiver may be tried again, or when an attempt that is under way counts as lost.
CREATE TABLE webhooks (
    project_id TEXT PRIMARY KEY REFERENCES projects (id) ON DELETE CASCADE,
    url TEXT NOT NULL,
    secret TEXT NOT NULL,
    old_secret TEXT,
    old_until BIGINT,
    created_at BIGINT NOT NULL,
    secret_at BIGINT NOT NULL,
    failures BIGINT NOT NULL DEFAULT 0,
    next_at BIGINT NOT NULL DEFAULT 0
);

-- What is to be told, and what came of it. A row says all that the request's body does, and is never
-- changed in that, so every attempt sends the same bytes. subject and what follows: of a budget.
CREATE TABLE webhook_events (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    type TEXT NOT NULL CHECK (type IN ('budget.threshold', 'webhook.test')),
    kind TEXT,
    subject TEXT,
    period BIGINT,
    threshold BIGINT,
    amount_micros BIGINT,
    budget_micros BIGINT,
    currency TEXT,
    at BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts BIGINT NOT NULL DEFAULT 0,
    due_at BIGINT NOT NULL,
    tried_at BIGINT,
    status BIGINT,
    error TEXT,
    settled_at BIGINT
);
CREATE INDEX webhook_events_due ON webhook_events (project_id, due_at) WHERE state = 'pending';
CREATE INDEX webhook_events_tried ON webhook_events (project_id, tried_at);
CREATE INDEX webhook_events_settled ON webhook_events (project_id, settled_at);
