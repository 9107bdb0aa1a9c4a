-- Sessions that ended in the last minutes, and those of accounts that were banned: every process reads
-- what is new, closes the sockets of these sessions, and tells those who asked (wire.md 8.1, 8.5).
CREATE TABLE session_ends (
  account_id INTEGER NOT NULL,
  token_hash BLOB NOT NULL,
  device_id TEXT NOT NULL,
  reason TEXT NOT NULL,
  ended_at INTEGER NOT NULL,
  -- Milliseconds of the store's own clock: all processes share it, whatever their machines' clocks say.
  recorded_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
  PRIMARY KEY (account_id, token_hash)
) STRICT, WITHOUT ROWID;

CREATE INDEX session_ends_by_record ON session_ends (recorded_at, account_id, token_hash);
CREATE INDEX session_ends_by_time ON session_ends (ended_at);
