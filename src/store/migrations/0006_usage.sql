-- Runs that a project has reserved of its quota, by UTC month (202511). A run holds its reservation in
-- runs.quota_period until it turns out to cost nothing.
CREATE TABLE quota (
    project_id TEXT NOT NULL,
    period BIGINT NOT NULL,
    used BIGINT NOT NULL,
    PRIMARY KEY (project_id, period)
);
ALTER TABLE runs ADD COLUMN quota_period BIGINT;
-- 1: made with a test key; costs nothing.
ALTER TABLE runs ADD COLUMN test BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN test BIGINT NOT NULL DEFAULT 0;

-- Prices and since when, in millionths. What a run costs stands with it in the ledger.
CREATE TABLE prices (
    effective_at BIGINT PRIMARY KEY,
    run_micros BIGINT NOT NULL,
    cpu_ms_micros BIGINT NOT NULL,
    currency TEXT NOT NULL
);

-- Sums over the ledger, kept in the transaction that adds to it. day: days since 1970, UTC. Figures
-- are in the units that are answered and billed. Keys and users have what counts, that is neither test
-- runs nor those that cost nothing.
CREATE TABLE usage_days (
    project_id TEXT NOT NULL,
    day BIGINT NOT NULL,
    lang TEXT NOT NULL,
    outcome TEXT NOT NULL,
    test BIGINT NOT NULL,
    runs BIGINT NOT NULL,
    cpu_ms BIGINT NOT NULL,
    mem_mb BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    mem_mb_ms BIGINT NOT NULL,
    egress_bytes BIGINT NOT NULL,
    amount_micros BIGINT NOT NULL,
    PRIMARY KEY (project_id, day, lang, outcome, test)
);
CREATE TABLE usage_keys (
    project_id TEXT NOT NULL,
    period BIGINT NOT NULL,
    key_id TEXT NOT NULL,
    runs BIGINT NOT NULL,
    cpu_ms BIGINT NOT NULL,
    mem_mb BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    mem_mb_ms BIGINT NOT NULL,
    egress_bytes BIGINT NOT NULL,
    amount_micros BIGINT NOT NULL,
    PRIMARY KEY (project_id, period, key_id)
);
CREATE TABLE usage_users (
    project_id TEXT NOT NULL,
    period BIGINT NOT NULL,
    user_id TEXT NOT NULL,
    runs BIGINT NOT NULL,
    cpu_ms BIGINT NOT NULL,
    mem_mb BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    mem_mb_ms BIGINT NOT NULL,
    egress_bytes BIGINT NOT NULL,
    amount_micros BIGINT NOT NULL,
    PRIMARY KEY (project_id, period, user_id)
);

INSERT INTO usage_days SELECT project_id, at / 86400000000000, lang, outcome, test, COUNT(*), SUM((cpu_ns + 999999) / 1000000), SUM((peak_bytes + 1048575) / 1048576), SUM((wall_ns + 999999) / 1000000), SUM((peak_bytes + 1048575) / 1048576 * ((wall_ns + 999999) / 1000000)), SUM(egress_bytes), COALESCE(SUM(amount_micros), 0) FROM ledger GROUP BY project_id, at / 86400000000000, lang, outcome, test;
--sqlite INSERT INTO usage_keys SELECT project_id, CAST(strftime('%Y%m', at / 1000000000, 'unixepoch') AS INTEGER), key_id, COUNT(*), SUM((cpu_ns + 999999) / 1000000), SUM((peak_bytes + 1048575) / 1048576), SUM((wall_ns + 999999) / 1000000), SUM((peak_bytes + 1048575) / 1048576 * ((wall_ns + 999999) / 1000000)), SUM(egress_bytes), COALESCE(SUM(amount_micros), 0) FROM ledger WHERE key_id IS NOT NULL AND outcome NOT IN ('sandbox_error', 'install_failed') GROUP BY 1, 2, 3;
--sqlite INSERT INTO usage_users SELECT project_id, CAST(strftime('%Y%m', at / 1000000000, 'unixepoch') AS INTEGER), user_id, COUNT(*), SUM((cpu_ns + 999999) / 1000000), SUM((peak_bytes + 1048575) / 1048576), SUM((wall_ns + 999999) / 1000000), SUM((peak_bytes + 1048575) / 1048576 * ((wall_ns + 999999) / 1000000)), SUM(egress_bytes), COALESCE(SUM(amount_micros), 0) FROM ledger WHERE user_id IS NOT NULL AND outcome NOT IN ('sandbox_error', 'install_failed') GROUP BY 1, 2, 3;
