-- Where a device stands and what operators call it, and an index for each question that a filter may ask.

ALTER TABLE device ADD COLUMN site TEXT;
-- JSON; the tables below repeat them for their indexes.
ALTER TABLE device ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
ALTER TABLE device ADD COLUMN labels TEXT NOT NULL DEFAULT '{}';
-- When its next Inform is overdue; nothing where its interval is not known.
ALTER TABLE device ADD COLUMN due_at BIGINT;

CREATE TABLE device_tag (
    name     TEXT NOT NULL,
    identity TEXT NOT NULL,
    PRIMARY KEY (name, identity)
);
CREATE INDEX device_tag_of_device ON device_tag (identity);

CREATE TABLE device_label (
    name     TEXT NOT NULL,
    value    TEXT NOT NULL,
    identity TEXT NOT NULL,
    PRIMARY KEY (identity, name)
);
CREATE INDEX device_label_by_value ON device_label (name, lower(value), identity);

CREATE INDEX device_by_serial ON device (lower(serial), identity);
CREATE INDEX device_by_site ON device (lower(site), identity);
CREATE INDEX device_by_pci ON device (lower(pci), identity);
CREATE INDEX device_by_tac ON device (lower(tac), identity);
CREATE INDEX device_by_software ON device (lower(software), identity);
CREATE INDEX device_by_product_class ON device (lower(product_class), identity);
CREATE INDEX device_by_oui ON device (lower(oui), identity);
CREATE INDEX device_by_state ON device (state, is_in_service, identity);
CREATE INDEX device_by_first_seen ON device (first_seen_at, identity);
CREATE INDEX device_by_last_inform ON device (last_inform_at, identity);
CREATE INDEX device_by_due ON device (due_at, identity);
DROP INDEX device_by_expiry;
CREATE INDEX device_by_expiry ON device (certificate_not_after, identity);
