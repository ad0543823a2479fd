-- Which devices' next sessions shall be recorded, how many of them and until when.
CREATE TABLE recording_order (
    identity TEXT   NOT NULL PRIMARY KEY,
    sessions BIGINT NOT NULL,
    until_at BIGINT NOT NULL,
    author   TEXT   NOT NULL,
    at       BIGINT NOT NULL
);

-- What was said in a session, without secrets. The text comes last: sums over the rest do not read it.
CREATE TABLE recording (
    session  BIGINT NOT NULL PRIMARY KEY,
    identity TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    messages BIGINT NOT NULL,
    bytes    BIGINT NOT NULL,
    body     TEXT   NOT NULL
);
CREATE INDEX recording_by_age ON recording (at);
