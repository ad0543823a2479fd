-- One process that serves: its number is its epoch and never used again. `beats` counts while it lives; who sees it
-- stand still takes the node for dead. `seen_at` is the node's own clock, for people.
CREATE TABLE node (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    beats   BIGINT NOT NULL DEFAULT 0,
    seen_at BIGINT
);

-- An open session is the lease of its device, and its number is the epoch of that.
UPDATE session SET ended_at = started_at, outcome = 'interrupted' WHERE ended_at IS NULL;
ALTER TABLE session ADD COLUMN node BIGINT;
CREATE INDEX session_open ON session (identity) WHERE ended_at IS NULL;
