-- Operators' acts about stale revocation lists: each stays on record, the newest of an anchor counts. (A-11)
CREATE TABLE grace (
    anchor   TEXT   NOT NULL,
    until_at BIGINT NOT NULL,
    reason   TEXT   NOT NULL,
    made_by  TEXT   NOT NULL,
    made_at  BIGINT NOT NULL,
    PRIMARY KEY (anchor, made_at)
);
