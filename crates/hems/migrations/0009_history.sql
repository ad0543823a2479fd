-- What devices had before, and values that lie together: all of one device in a page or two, however many there are.

CREATE TABLE shelf (
    identity TEXT   NOT NULL,
    object   TEXT   NOT NULL,
    body     TEXT   NOT NULL,
    read_at  BIGINT,
    PRIMARY KEY (identity, object)
) WITHOUT ROWID;
INSERT INTO shelf (identity, object, body, read_at) SELECT identity, object, body, read_at FROM known;
DROP TABLE known;
ALTER TABLE shelf RENAME TO known;

-- A ring of each device: the slot is the number modulo the ring's size.
CREATE TABLE history (
    identity TEXT   NOT NULL,
    slot     BIGINT NOT NULL,
    number   BIGINT NOT NULL,
    session  BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    body     TEXT   NOT NULL,
    PRIMARY KEY (identity, slot)
) WITHOUT ROWID;

-- How many sessions and how many entries of the history there ever were.
ALTER TABLE device ADD COLUMN sessions BIGINT NOT NULL DEFAULT 0;
ALTER TABLE device ADD COLUMN changes BIGINT NOT NULL DEFAULT 0;
