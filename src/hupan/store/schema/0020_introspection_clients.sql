-- Servers beside this one that may ask about tokens (wire.md 8.5). Of their secrets only a hash is kept.
-- bound: operators, 0, -: written by operators alone
CREATE TABLE introspection_clients (
  name TEXT PRIMARY KEY,
  secret_hash BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
