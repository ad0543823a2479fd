-- Devices that are asked for a session until one comes: when next, and how often they were.
CREATE TABLE wake (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    identity TEXT   NOT NULL,
    next_at  BIGINT NOT NULL,
    attempts BIGINT NOT NULL
);
CREATE UNIQUE INDEX wake_of_device ON wake (identity);
CREATE INDEX wake_by_time ON wake (next_at, id);
