-- A step that failed, for each device and deed: with what value, on which software, and when it is tried again. One
-- without a next try is a dead letter. The steps from before have other names; each gets a new chance.
DELETE FROM fault;
ALTER TABLE fault ADD COLUMN wanted TEXT NOT NULL DEFAULT '';
ALTER TABLE fault ADD COLUMN software TEXT NOT NULL DEFAULT '';
ALTER TABLE fault ADD COLUMN next_at BIGINT;
CREATE INDEX fault_dead ON fault (identity, step) WHERE next_at IS NULL;
