-- Who is shut out, who claims to be whom, and what a session left as evidence of its identity.

-- Who is shut out although the certificate is good. (I-12)
CREATE TABLE block (
    kind    TEXT   NOT NULL,
    value   TEXT   NOT NULL,
    reason  TEXT   NOT NULL,
    made_by TEXT   NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (kind, value)
);

-- A DeviceId that was admitted for more than one identity: a row for each of them, and all are stopped.
CREATE TABLE dispute (
    oui           TEXT   NOT NULL,
    product_class TEXT   NOT NULL,
    serial        TEXT   NOT NULL,
    identity      TEXT   NOT NULL PRIMARY KEY,
    at            BIGINT NOT NULL
);
CREATE INDEX dispute_of_device_id ON dispute (oui, product_class, serial);

-- What an identity said it was in Inform, against its binding.
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

-- Why one identity seems to be two cells, the last finding of each.
CREATE TABLE suspicion (
    identity TEXT   NOT NULL PRIMARY KEY,
    kind     TEXT   NOT NULL,
    detail   TEXT   NOT NULL,
    first_at BIGINT NOT NULL,
    last_at  BIGINT NOT NULL,
    count    BIGINT NOT NULL
);

-- The cell's certificate and clock as its last session showed them, and the best version it ever spoke.
ALTER TABLE device ADD COLUMN certificate TEXT;
ALTER TABLE device ADD COLUMN certificate_not_after BIGINT;
ALTER TABLE device ADD COLUMN cell_clock BIGINT;
ALTER TABLE device ADD COLUMN cell_clock_at BIGINT;
ALTER TABLE device ADD COLUMN best_tls TEXT;
ALTER TABLE device ADD COLUMN downgrades BIGINT NOT NULL DEFAULT 0;
ALTER TABLE device ADD COLUMN downgraded_at BIGINT;
CREATE INDEX device_by_expiry ON device (certificate_not_after);

ALTER TABLE session ADD COLUMN anchor TEXT;
ALTER TABLE session ADD COLUMN chain TEXT;
ALTER TABLE session ADD COLUMN outside_profile TEXT;
ALTER TABLE session ADD COLUMN cell_clock BIGINT;
ALTER TABLE session ADD COLUMN up_time BIGINT;
ALTER TABLE session ADD COLUMN downgraded BIGINT NOT NULL DEFAULT 0;
