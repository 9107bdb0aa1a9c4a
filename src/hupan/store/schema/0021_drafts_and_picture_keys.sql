-- Drafts on their way to the sockets of another process (wire.md 8.1): encrypted, and deleted as soon as
-- that process has read them. Nothing in a row says whose draft it is.
-- bound: server, domain.drafts.MAX_DRAFTS_FOR_PROCESS, tests/domain/test_drafts.py: for each process; more are dropped
CREATE TABLE drafts (
  process INTEGER NOT NULL,
  source INTEGER NOT NULL,
  number INTEGER NOT NULL,
  content BLOB NOT NULL,
  PRIMARY KEY (process, source, number)
) STRICT, WITHOUT ROWID;

-- Which accounts have a client's key, and since when: the first one's picture is shown at the address
-- with the key. Beside `pictures`, which are found by their account.
-- bound: account, 0, tests/domain/test_media.py: one for each picture
CREATE TABLE picture_keys (
  client_key TEXT NOT NULL,
  holder INTEGER NOT NULL,
  claimed_at INTEGER NOT NULL,
  PRIMARY KEY (client_key, holder)
) STRICT, WITHOUT ROWID;

CREATE INDEX picture_keys_by_time ON picture_keys (client_key, claimed_at, holder);

DROP INDEX pictures_by_key;

-- Which files of a folder are pictures.
CREATE INDEX pictures_by_name ON pictures (name);
