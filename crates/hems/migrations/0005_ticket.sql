-- Keys that seal session tickets, shared by all nodes: one an hour, each sealed under a file that only the nodes have.
CREATE TABLE ticket_key (
    period BIGINT NOT NULL PRIMARY KEY,
    sealed BLOB   NOT NULL
);
