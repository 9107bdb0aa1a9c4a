-- As 0016_session_ends.sql; PostgreSQL tells its time by another name.
CREATE TABLE session_ends (
  account_id INTEGER NOT NULL,
  token_hash BLOB NOT NULL,
  device_id TEXT NOT NULL,
  reason TEXT NOT NULL,
  ended_at INTEGER NOT NULL,
  recorded_at INTEGER NOT NULL DEFAULT (CAST(extract(epoch FROM clock_timestamp()) * 1000 AS INTEGER)),
  PRIMARY KEY (account_id, token_hash)
) STRICT, WITHOUT ROWID;

CREATE INDEX session_ends_by_record ON session_ends (recorded_at, account_id, token_hash);
CREATE INDEX session_ends_by_time ON session_ends (ended_at);
