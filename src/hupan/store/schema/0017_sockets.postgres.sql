-- As 0017_sockets.sql; PostgreSQL tells its time by another name.
CREATE TABLE sockets (
  account_id INTEGER NOT NULL,
  process INTEGER NOT NULL,
  number INTEGER NOT NULL,
  token_hash BLOB NOT NULL,
  connected_at_ms INTEGER NOT NULL,
  is_surplus INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id, process, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX sockets_by_process ON sockets (process);
CREATE INDEX sockets_surplus ON sockets (process) WHERE is_surplus = 1;

CREATE TABLE socket_processes (
  process INTEGER NOT NULL,
  alive_at INTEGER NOT NULL DEFAULT (CAST(extract(epoch FROM clock_timestamp()) * 1000 AS INTEGER)),
  PRIMARY KEY (process)
) STRICT, WITHOUT ROWID;
