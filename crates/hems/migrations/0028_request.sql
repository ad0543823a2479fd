-- What was asked with an idempotency key, by its digest, where no action says it: the same key for another call is
-- refused.
ALTER TABLE call ADD COLUMN request TEXT;
