-- Steps that fail, roll-outs that end, actions for many, and lists in an order.

-- A step that failed, for each device and deed: with what value, on which software, and when it is tried again. One
-- without a next try is a dead letter. The steps from before have other names; each gets a new chance.
DELETE FROM fault;
ALTER TABLE fault ADD COLUMN wanted TEXT NOT NULL DEFAULT '';
ALTER TABLE fault ADD COLUMN software TEXT NOT NULL DEFAULT '';
ALTER TABLE fault ADD COLUMN next_at BIGINT;
CREATE INDEX fault_dead ON fault (identity, step) WHERE next_at IS NULL;

-- A change ends by itself when for so many days no further device asked to follow. Those that were never reached are
-- counted when they come, until a time.
ALTER TABLE change ADD COLUMN days BIGINT NOT NULL DEFAULT 7;
ALTER TABLE change ADD COLUMN asked_at BIGINT NOT NULL DEFAULT 0;
UPDATE change SET asked_at = at;
ALTER TABLE change ADD COLUMN unreached BIGINT NOT NULL DEFAULT 0;
ALTER TABLE change ADD COLUMN late BIGINT NOT NULL DEFAULT 0;
ALTER TABLE change ADD COLUMN late_until BIGINT;
CREATE INDEX change_with_late ON change (late_until) WHERE late_until IS NOT NULL;
CREATE INDEX released_of_change ON released (change, identity);

-- An action for many devices is a change without versions: what was asked for, as JSON, of whom, the call that does it,
-- and by which key a repeated request is known; listed here are the devices that were not released yet.
ALTER TABLE change ADD COLUMN action TEXT;
ALTER TABLE change ADD COLUMN filter TEXT;
ALTER TABLE change ADD COLUMN method TEXT;
ALTER TABLE change ADD COLUMN body TEXT;
ALTER TABLE change ADD COLUMN idempotency_key TEXT;
CREATE UNIQUE INDEX change_by_key ON change (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE TABLE change_device (
    identity TEXT   NOT NULL,
    change   BIGINT NOT NULL,
    PRIMARY KEY (identity, change)
);
CREATE INDEX change_device_of_change ON change_device (change);

-- A device without a value stands in the order of its index too, before all others: what is null could be looked for,
-- and would come by identity, on one of the two databases only.
DROP INDEX device_by_serial;
CREATE INDEX device_by_serial ON device (COALESCE(lower(serial), ''), identity);
DROP INDEX device_by_site;
CREATE INDEX device_by_site ON device (COALESCE(lower(site), ''), identity);
DROP INDEX device_by_pci;
CREATE INDEX device_by_pci ON device (COALESCE(lower(pci), ''), identity);
DROP INDEX device_by_tac;
CREATE INDEX device_by_tac ON device (COALESCE(lower(tac), ''), identity);
DROP INDEX device_by_software;
CREATE INDEX device_by_software ON device (COALESCE(lower(software), ''), identity);
DROP INDEX device_by_product_class;
CREATE INDEX device_by_product_class ON device (COALESCE(lower(product_class), ''), identity);
DROP INDEX device_by_oui;
CREATE INDEX device_by_oui ON device (COALESCE(lower(oui), ''), identity);
