CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
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
, certificate TEXT, certificate_not_after BIGINT, cell_clock BIGINT, cell_clock_at BIGINT, best_tls TEXT, downgrades BIGINT NOT NULL DEFAULT 0, downgraded_at BIGINT);
CREATE UNIQUE INDEX device_binding ON device (oui, product_class, serial);
CREATE TABLE known (
    identity TEXT   NOT NULL,
    object   TEXT   NOT NULL,
    body     TEXT   NOT NULL,
    read_at  BIGINT,
    PRIMARY KEY (identity, object)
);
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
, transport TEXT NOT NULL DEFAULT 'tls', voucher TEXT, ike_sa TEXT, anchor TEXT, chain TEXT, outside_profile TEXT, cell_clock BIGINT, up_time BIGINT, downgraded BIGINT NOT NULL DEFAULT 0);
CREATE INDEX session_of_device ON session (identity, id);
CREATE TABLE intent (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    identity TEXT   NOT NULL,
    session  BIGINT NOT NULL,
    step     TEXT   NOT NULL,
    object   TEXT   NOT NULL,
    at       BIGINT NOT NULL
);
CREATE INDEX intent_of_device ON intent (identity);
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
CREATE TABLE draw (
    pool     TEXT   NOT NULL,
    value    BIGINT NOT NULL,
    identity TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (pool, value)
);
CREATE UNIQUE INDEX draw_of_device ON draw (pool, identity);
CREATE TABLE deployment (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
CREATE TABLE block (
    kind    TEXT   NOT NULL,
    value   TEXT   NOT NULL,
    reason  TEXT   NOT NULL,
    made_by TEXT   NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (kind, value)
);
CREATE TABLE dispute (
    oui           TEXT   NOT NULL,
    product_class TEXT   NOT NULL,
    serial        TEXT   NOT NULL,
    identity      TEXT   NOT NULL PRIMARY KEY,
    at            BIGINT NOT NULL
);
CREATE INDEX dispute_of_device_id ON dispute (oui, product_class, serial);
CREATE TABLE claim (
    identity      TEXT   NOT NULL,
    oui           TEXT   NOT NULL,
    product_class TEXT   NOT NULL,
    serial        TEXT   NOT NULL,
    fingerprint   TEXT   NOT NULL,
    first_at      BIGINT NOT NULL,
    last_at       BIGINT NOT NULL,
    count         BIGINT NOT NULL,
    PRIMARY KEY (identity, oui, product_class, serial)
);
CREATE INDEX claim_of_device_id ON claim (oui, product_class, serial);
CREATE TABLE suspicion (
    identity TEXT   NOT NULL PRIMARY KEY,
    kind     TEXT   NOT NULL,
    detail   TEXT   NOT NULL,
    first_at BIGINT NOT NULL,
    last_at  BIGINT NOT NULL,
    count    BIGINT NOT NULL
);
CREATE INDEX device_by_expiry ON device (certificate_not_after);
CREATE TABLE report (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    identity TEXT   NOT NULL,
    body     TEXT   NOT NULL,
    first_at BIGINT NOT NULL,
    last_at  BIGINT NOT NULL,
    count    BIGINT NOT NULL
);
CREATE INDEX report_of_device ON report (identity, id);
CREATE TABLE ticket_key (
    period BIGINT NOT NULL PRIMARY KEY,
    sealed BLOB   NOT NULL
);
CREATE TABLE grace (
    anchor   TEXT   NOT NULL,
    until_at BIGINT NOT NULL,
    reason   TEXT   NOT NULL,
    made_by  TEXT   NOT NULL,
    made_at  BIGINT NOT NULL,
    PRIMARY KEY (anchor, made_at)
);
INSERT INTO _sqlx_migrations VALUES (1, 'slice', 0, 1, X'A7CBFB8622E6EC034169BE068291E3199338A7EF30D95DB4C68D4DA05CD4D65B274A3350BF8281132FA09A6E3E28419D', 0);
INSERT INTO _sqlx_migrations VALUES (2, 'tunnel', 0, 1, X'74546F2BBE0F127C3CDD036CCBB319A65F63E085CDC94E97F57353D710BE4198457C14816C7FB95F379B187DBAE278F7', 0);
INSERT INTO _sqlx_migrations VALUES (3, 'identity', 0, 1, X'6B73CEF47507891B90865CD9C83714D479478840964FB2A566256B9FA7AF4EBBF22EB98B1FB56E3C7C016EDA73237F34', 0);
INSERT INTO _sqlx_migrations VALUES (4, 'report', 0, 1, X'4B63831653727D941863DF792E2FCB4CEA00C410370106DF4F891F1D91CC759E005338A9C98670A8EF7181CC570ABB52', 0);
INSERT INTO _sqlx_migrations VALUES (5, 'ticket', 0, 1, X'672550163D51BCD0684B4F68925DD9024CC497CA3DB601498E6222F8DD17214523334CF854C28D02969FBF1FA3A6A57E', 0);
INSERT INTO _sqlx_migrations VALUES (6, 'grace', 0, 1, X'CB4AEEDB095E0EBC12299E35A1C2503747DFE48CF75D4E55D96C3A61F54B56D9B5144E627A8C11F0B9EEF9A57016B25A', 0);
