-- What is desired, version by version, and how a change of it reaches the devices.

-- Every template as it was saved, for ever; body is JSON.
CREATE TABLE template_version (
    name    TEXT   NOT NULL,
    version BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    author  TEXT   NOT NULL,
    reason  TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (name, version)
);
INSERT INTO template_version SELECT name, 1, body, '', '', changed_at FROM template;

-- The version that applies; 0 is none, and body is the applied one's. What is wanted of one device alone is a template
-- with that device's identity, and its name is the identity.
ALTER TABLE template ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE template ADD COLUMN identity TEXT;
CREATE INDEX template_of_device ON template (identity);

-- A change of what applies, on its way: from one version of a template to another; 0 is none.
CREATE TABLE change (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT   NOT NULL,
    identity     TEXT,
    from_version BIGINT NOT NULL,
    to_version   BIGINT NOT NULL,
    state        TEXT   NOT NULL,
    author       TEXT   NOT NULL,
    reason       TEXT   NOT NULL,
    at           BIGINT NOT NULL,
    -- The second person, where one was needed.
    approver     TEXT,
    -- Why it stopped or how it ended, and when.
    note         TEXT,
    ended_at     BIGINT,
    -- Devices admitted, and those of them that serve and are concerned, when it began.
    fleet        BIGINT NOT NULL,
    matched      BIGINT NOT NULL,
    released     BIGINT NOT NULL DEFAULT 0,
    fine         BIGINT NOT NULL DEFAULT 0,
    faulted      BIGINT NOT NULL DEFAULT 0,
    fell         BIGINT NOT NULL DEFAULT 0,
    lost         BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX change_under_way ON change (name) WHERE state IN ('waiting', 'running', 'stopped');

-- A device that may follow a change, and what became of it; nothing while that is not known.
CREATE TABLE released (
    change   BIGINT NOT NULL,
    identity TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    -- Whether it served then: one that did not cannot fall.
    served   BIGINT NOT NULL,
    outcome  TEXT,
    PRIMARY KEY (identity, change)
);
CREATE INDEX released_by_time ON released (at);
CREATE INDEX released_unsettled ON released (change, at) WHERE outcome IS NULL;

-- One row while nothing may change.
CREATE TABLE frozen (
    one    BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    author TEXT   NOT NULL,
    reason TEXT   NOT NULL,
    at     BIGINT NOT NULL
);

-- An emergency: these devices go off the air whatever else is desired, until it is lifted.
CREATE TABLE radio_off (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    filter    TEXT   NOT NULL,
    author    TEXT   NOT NULL,
    reason    TEXT   NOT NULL,
    at        BIGINT NOT NULL,
    lifted_by TEXT,
    lifted_at BIGINT
);
CREATE TABLE radio_off_device (
    identity TEXT   NOT NULL,
    emergency BIGINT NOT NULL,
    -- When it was seen off the air after the order.
    off_at   BIGINT,
    PRIMARY KEY (identity, emergency)
);
CREATE INDEX radio_off_progress ON radio_off_device (emergency, off_at, identity);
