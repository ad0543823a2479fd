-- Who may use the API: accounts, their logins and tokens, machines by certificate, and the way in for the first one.
-- Of every key only a hash is here. A scope is a tag or a tenant; null is the whole deployment.

CREATE TABLE account (
    name          TEXT NOT NULL PRIMARY KEY,
    role          TEXT NOT NULL,
    scope         TEXT,
    -- argon2id with its parameters; null where nobody logs in by password.
    password      TEXT,
    -- The subject that the identity provider vouches for.
    subject       TEXT,
    is_disabled   BIGINT NOT NULL DEFAULT 0,
    made_at       BIGINT NOT NULL,
    last_login_at BIGINT
);
CREATE UNIQUE INDEX account_by_subject ON account (subject);

CREATE TABLE login (
    hash       TEXT NOT NULL PRIMARY KEY,
    account    TEXT NOT NULL,
    made_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX login_of_account ON login (account, made_at);

CREATE TABLE api_token (
    prefix       TEXT NOT NULL PRIMARY KEY,
    hash         TEXT NOT NULL,
    name         TEXT NOT NULL,
    account      TEXT NOT NULL,
    role         TEXT NOT NULL,
    scope        TEXT,
    made_at      BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT
);
CREATE INDEX api_token_of_account ON api_token (account, made_at);

CREATE TABLE machine (
    name        TEXT NOT NULL PRIMARY KEY,
    -- Either the SHA-256 of its certificate, or the subject of one that a listed CA issued.
    fingerprint TEXT,
    subject     TEXT,
    role        TEXT NOT NULL,
    scope       TEXT,
    made_at     BIGINT NOT NULL
);
CREATE UNIQUE INDEX machine_by_fingerprint ON machine (fingerprint);
CREATE UNIQUE INDEX machine_by_subject ON machine (subject);

CREATE TABLE first_administrator (
    one        BIGINT NOT NULL PRIMARY KEY,
    hash       TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
