-- Which sessions are connected now, and to which process (wire.md 8.1).
CREATE TABLE sockets (
  account_id INTEGER NOT NULL,
  process INTEGER NOT NULL,
  number INTEGER NOT NULL,
  token_hash BLOB NOT NULL,
  connected_at_ms INTEGER NOT NULL,
  -- The account has too many: its process is to close it.
  is_surplus INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id, process, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX sockets_by_process ON sockets (process);
CREATE INDEX sockets_surplus ON sockets (process) WHERE is_surplus = 1;

-- Processes with sockets, and when each last said that it lives, in milliseconds of the store's clock.
CREATE TABLE socket_processes (
  process INTEGER NOT NULL,
  alive_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
  PRIMARY KEY (process)
) STRICT, WITHOUT ROWID;
