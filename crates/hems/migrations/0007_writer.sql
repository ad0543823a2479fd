-- One row that a node locks while it writes, so that the nodes of a deployment write one after the other.
CREATE TABLE writer (
    one BIGINT NOT NULL PRIMARY KEY
);
INSERT INTO writer (one) VALUES (1);
