-- What the H(e)MS remembers. Times are milliseconds since 1970, JSON is text, every row that belongs to a device
-- carries its identity. Forward only: a later change is a later file.

-- One managed cell. The binding to (oui, product_class, serial) is written at admission and never by a session;
-- the columns from software on repeat what is known, so that a list needs no join.
CREATE TABLE device (
    identity           TEXT   NOT NULL PRIMARY KEY,
    state              TEXT   NOT NULL,
    oui                TEXT,
    product_class      TEXT,
    serial             TEXT,
    claimed            TEXT,
    first_seen_at      BIGINT NOT NULL,
    last_inform_at     BIGINT,
    provisioning_since BIGINT,
    in_service_at      BIGINT,
    is_in_service      BIGINT NOT NULL DEFAULT 0,
    methods            TEXT,
    tls_version        TEXT,
    suite              TEXT,
    software           TEXT,
    plmn               TEXT,
    tac                TEXT,
    pci                TEXT,
    admin_state        TEXT,
    op_state           TEXT,
    rf_tx_status       TEXT
);
CREATE UNIQUE INDEX device_binding ON device (oui, product_class, serial);

-- What a device last said, one row per object.
CREATE TABLE known (
    identity TEXT   NOT NULL,
    object   TEXT   NOT NULL,
    body     TEXT   NOT NULL,
    read_at  BIGINT,
    PRIMARY KEY (identity, object)
);

-- What the gate said; no row is unknown.
CREATE TABLE gate (
    identity  TEXT   NOT NULL PRIMARY KEY,
    passed    BIGINT NOT NULL,
    policy    TEXT   NOT NULL,
    latitude  TEXT   NOT NULL,
    longitude TEXT   NOT NULL,
    at        BIGINT NOT NULL
);

CREATE TABLE session (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    identity      TEXT   NOT NULL,
    started_at    BIGINT NOT NULL,
    ended_at      BIGINT,
    tls_version   TEXT   NOT NULL,
    suite         TEXT   NOT NULL,
    resumed       BIGINT NOT NULL,
    fingerprint   TEXT   NOT NULL,
    not_after     BIGINT NOT NULL,
    peer          TEXT   NOT NULL,
    events        TEXT   NOT NULL,
    messages      BIGINT NOT NULL DEFAULT 0,
    outcome       TEXT
);
CREATE INDEX session_of_device ON session (identity, id);

-- Written before what cannot be done twice is sent; gone when the answer is durable.
CREATE TABLE intent (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    identity TEXT   NOT NULL,
    session  BIGINT NOT NULL,
    step     TEXT   NOT NULL,
    object   TEXT   NOT NULL,
    at       BIGINT NOT NULL
);
CREATE INDEX intent_of_device ON intent (identity);

-- Calls that an operator queued.
CREATE TABLE call (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    identity    TEXT   NOT NULL,
    method      TEXT   NOT NULL,
    command_key TEXT   NOT NULL,
    body        TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    queued_at   BIGINT NOT NULL,
    sent_at     BIGINT,
    finished_at BIGINT,
    outcome     TEXT
);
CREATE INDEX call_of_device ON call (identity, id);

-- Steps that a device refused: how often, and with what.
CREATE TABLE fault (
    identity TEXT   NOT NULL,
    step     TEXT   NOT NULL,
    code     BIGINT NOT NULL,
    text     TEXT   NOT NULL,
    details  TEXT   NOT NULL,
    count    BIGINT NOT NULL,
    last_at  BIGINT NOT NULL,
    PRIMARY KEY (identity, step)
);

CREATE TABLE misbehaviour (
    identity TEXT   NOT NULL,
    kind     TEXT   NOT NULL,
    count    BIGINT NOT NULL,
    last_at  BIGINT NOT NULL,
    PRIMARY KEY (identity, kind)
);

-- Connections and sessions that were refused, by reason, issuer and network.
CREATE TABLE refusal (
    reason      TEXT   NOT NULL,
    issuer      TEXT   NOT NULL,
    network     TEXT   NOT NULL,
    first_at    BIGINT NOT NULL,
    last_at     BIGINT NOT NULL,
    count       BIGINT NOT NULL,
    detail      TEXT   NOT NULL,
    certificate TEXT,
    PRIMARY KEY (reason, issuer, network)
);
CREATE INDEX refusal_by_age ON refusal (last_at);

CREATE TABLE template (
    name       TEXT   NOT NULL PRIMARY KEY,
    body       TEXT   NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE TABLE pool (
    name       TEXT   NOT NULL PRIMARY KEY,
    first      BIGINT NOT NULL,
    last       BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

-- Who holds which value of a pool.
CREATE TABLE draw (
    pool     TEXT   NOT NULL,
    value    BIGINT NOT NULL,
    identity TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (pool, value)
);
CREATE UNIQUE INDEX draw_of_device ON draw (pool, identity);
