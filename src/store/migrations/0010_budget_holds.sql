-- What runs under way may still cost, of each budget that stops: held when a run is admitted, given back
-- when it ends. A run knows what it holds; hold_kinds: bits by enum store_budget.
CREATE TABLE budget_holds (
    kind TEXT NOT NULL CHECK (kind IN ('key', 'project', 'user')),
    project_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    micros BIGINT NOT NULL,
    PRIMARY KEY (kind, project_id, subject)
);
ALTER TABLE runs ADD COLUMN hold_micros BIGINT;
ALTER TABLE runs ADD COLUMN hold_kinds BIGINT NOT NULL DEFAULT 0;
