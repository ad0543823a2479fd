-- What devices told of their own accord, besides events: transfers that nobody here asked for, wishes for a file.
-- The same message again is the same row.
CREATE TABLE report (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    identity TEXT   NOT NULL,
    body     TEXT   NOT NULL,
    first_at BIGINT NOT NULL,
    last_at  BIGINT NOT NULL,
    count    BIGINT NOT NULL
);
CREATE INDEX report_of_device ON report (identity, id);
