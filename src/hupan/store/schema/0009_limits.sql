-- What operators had forgotten of the counts that processes keep in memory: each process looks now
-- and then and forgets it too. The subject is an account `account:1000001` or a network
-- `network:203.0.113.0/24`; one asked for twice is one row.
CREATE TABLE limit_resets (
  subject TEXT NOT NULL,
  asked_at INTEGER NOT NULL,
  PRIMARY KEY (subject)
) STRICT, WITHOUT ROWID;

CREATE INDEX limit_resets_by_time ON limit_resets (asked_at);
