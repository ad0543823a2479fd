-- One transport mode for the whole deployment, and sessions for which a tunnel vouches.

-- What every node of a deployment must agree on; written at the first start.
CREATE TABLE deployment (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- `tls` or `ipsec`; of the latter the TLS columns say `none`, nothing and zero. Beside it stands who vouched for the
-- tunnel, `table` or `vici`, and the gateway's number of the IKE SA.
ALTER TABLE session ADD COLUMN transport TEXT NOT NULL DEFAULT 'tls';
ALTER TABLE session ADD COLUMN voucher TEXT;
ALTER TABLE session ADD COLUMN ike_sa TEXT;
