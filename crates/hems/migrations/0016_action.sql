-- What an operator asked for in an operator's words, who it was, and the key by which a repeated request is known.
ALTER TABLE call ADD COLUMN author TEXT NOT NULL DEFAULT '';
ALTER TABLE call ADD COLUMN action TEXT;
ALTER TABLE call ADD COLUMN idempotency_key TEXT;
CREATE UNIQUE INDEX call_by_key ON call (identity, idempotency_key);
