-- What was used, one row per finished run, kept for ever: runs, keys and projects may be deleted,
-- so it refers to them without foreign keys. Money is in millionths of the price's currency unit;
-- NULL where no price was in force.
CREATE TABLE ledger (
    run_id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    key_id TEXT,
    user_id TEXT,
    lang TEXT NOT NULL,
    outcome TEXT NOT NULL,
    cpu_ns BIGINT NOT NULL,
    peak_bytes BIGINT NOT NULL,
    wall_ns BIGINT NOT NULL,
    egress_bytes BIGINT NOT NULL DEFAULT 0,
    price_run_micros BIGINT,
    price_cpu_ms_micros BIGINT,
    amount_micros BIGINT,
    at BIGINT NOT NULL
);
CREATE INDEX ledger_project ON ledger (project_id, at);
--sqlite CREATE TRIGGER ledger_update BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
--sqlite CREATE TRIGGER ledger_delete BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
