-- What a key may do, beyond being known. NULL: no limit of that kind. Money is in millionths of the
-- price's currency unit. domains and networks are lists separated by commas, as src/limits prints
-- them. Bits of scopes: 1 run, 2 read.
ALTER TABLE api_keys ADD COLUMN scopes BIGINT NOT NULL DEFAULT 3;
ALTER TABLE api_keys ADD COLUMN expires_at BIGINT;
ALTER TABLE api_keys ADD COLUMN domains TEXT;
ALTER TABLE api_keys ADD COLUMN networks TEXT;
ALTER TABLE api_keys ADD COLUMN rate_per_minute BIGINT;
ALTER TABLE api_keys ADD COLUMN running_max BIGINT;
ALTER TABLE api_keys ADD COLUMN budget_micros BIGINT;
ALTER TABLE api_keys ADD COLUMN budget_stops BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN rolled_to TEXT;

-- A project's plan, and what was agreed with it in place of the plan's limits. NULL: the plan's.
ALTER TABLE projects ADD COLUMN plan TEXT NOT NULL DEFAULT 'free' CHECK (plan IN ('free', 'pro', 'enterprise'));
ALTER TABLE projects ADD COLUMN suspended_at BIGINT;
ALTER TABLE projects ADD COLUMN runs_per_month BIGINT;
ALTER TABLE projects ADD COLUMN timeout_ms BIGINT;
ALTER TABLE projects ADD COLUMN install_seconds BIGINT;
ALTER TABLE projects ADD COLUMN memory_mb BIGINT;
ALTER TABLE projects ADD COLUMN running_max BIGINT;
ALTER TABLE projects ADD COLUMN user_rate_per_minute BIGINT;
ALTER TABLE projects ADD COLUMN budget_micros BIGINT;
ALTER TABLE projects ADD COLUMN user_budget_micros BIGINT;
ALTER TABLE projects ADD COLUMN budget_stops BIGINT NOT NULL DEFAULT 0;
