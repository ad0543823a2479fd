-- Files that operators keep for cells, and files that cells sent. The contents lie outside, each under its own name.
CREATE TABLE file (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    content  TEXT   NOT NULL,
    kind     TEXT   NOT NULL,
    name     TEXT   NOT NULL,
    -- The cell that sent it; nothing where a person did.
    identity TEXT,
    -- Through which URL it came: what comes through the same again takes its place.
    origin   TEXT,
    size     BIGINT NOT NULL,
    sha256   TEXT   NOT NULL,
    -- What is signed of firmware, as JSON.
    manifest TEXT,
    author   TEXT   NOT NULL,
    at       BIGINT NOT NULL
);
CREATE INDEX file_of_device ON file (identity, id);
CREATE INDEX file_by_age ON file (at, id);
CREATE UNIQUE INDEX file_by_origin ON file (identity, origin);

-- Contents that no file has: they are being written, or shall go. `size` is what they count for.
CREATE TABLE stray (
    content  TEXT   NOT NULL PRIMARY KEY,
    identity TEXT,
    size     BIGINT NOT NULL,
    at       BIGINT NOT NULL
);
CREATE INDEX stray_by_age ON stray (at, content);

-- Bytes that files and strays take: of each cell, and of all under the empty name.
CREATE TABLE file_use (
    identity TEXT   NOT NULL PRIMARY KEY,
    bytes    BIGINT NOT NULL
);

-- URLs that were given to cells in calls; each is worth something as long as its call is open.
CREATE TABLE file_url (
    token       TEXT   NOT NULL PRIMARY KEY,
    identity    TEXT   NOT NULL,
    method      TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    -- The file that it gives.
    file        BIGINT,
    command_key TEXT   NOT NULL,
    size_max    BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX file_url_by_expiry ON file_url (expires_at, token);
CREATE INDEX file_url_of_file ON file_url (file, identity);
CREATE INDEX call_by_command_key ON call (identity, command_key);
