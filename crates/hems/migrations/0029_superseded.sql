-- A lock that an unlock followed, or an unlock that a lock did, waited for ever: nobody carries it out.
UPDATE call SET state = 'failed', outcome = '"superseded"', finished_at = queued_at
WHERE state = 'queued' AND method IN ('Lock', 'Unlock') AND EXISTS (
    SELECT 1 FROM call AS later WHERE later.identity = call.identity AND later.id > call.id
    AND later.method IN ('Lock', 'Unlock') AND later.method <> call.method
);
