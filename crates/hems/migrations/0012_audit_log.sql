-- Who changed what: lines in a chain. A line's hash covers the line, which names the hash of the one before.

CREATE TABLE audit_log (
    number BIGINT NOT NULL PRIMARY KEY,
    line   TEXT NOT NULL,
    hash   TEXT NOT NULL
);

-- The end of the chain, so that a tail which is cut off is missed.
CREATE TABLE audit_end (
    one    BIGINT NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL,
    hash   TEXT NOT NULL
);
INSERT INTO audit_end (one, number, hash) VALUES (1, 0, '');
