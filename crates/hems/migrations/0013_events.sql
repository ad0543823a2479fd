-- What happened, for whoever listens: written in the transaction of the fact, trimmed by a job.
CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    type     TEXT   NOT NULL,
    subject  TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    body     TEXT   NOT NULL
);
CREATE INDEX outbox_by_age ON outbox (at);

-- How far something has come in the outbox: `trimmed`, `nats`.
CREATE TABLE mark (
    name  TEXT   NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

-- Which node does a job that one node does at a time.
CREATE TABLE job (
    name     TEXT   NOT NULL PRIMARY KEY,
    holder   TEXT   NOT NULL,
    until_at BIGINT NOT NULL
);

-- Where events are posted. `types` is JSON, empty for all; `position` is the last event that was handed over.
CREATE TABLE webhook (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    url           TEXT   NOT NULL,
    types         TEXT   NOT NULL,
    state         TEXT   NOT NULL,
    made_at       BIGINT NOT NULL,
    position      BIGINT NOT NULL,
    missed_before BIGINT
);
CREATE TABLE webhook_secret (
    webhook BIGINT NOT NULL,
    secret  TEXT   NOT NULL PRIMARY KEY,
    made_at BIGINT NOT NULL,
    ends_at BIGINT
);
CREATE INDEX webhook_secret_of_webhook ON webhook_secret (webhook, made_at);

-- An event on its way to a webhook; the body is kept beyond the outbox's end.
CREATE TABLE delivery (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook    BIGINT NOT NULL,
    event      TEXT   NOT NULL,
    type       TEXT   NOT NULL,
    body       TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    made_at    BIGINT NOT NULL,
    next_at    BIGINT NOT NULL,
    attempts   BIGINT NOT NULL DEFAULT 0,
    said       TEXT,
    ended_at   BIGINT
);
CREATE INDEX delivery_of_webhook ON delivery (webhook, state, id);
CREATE INDEX delivery_due ON delivery (webhook, next_at, id) WHERE state = 'waiting';

