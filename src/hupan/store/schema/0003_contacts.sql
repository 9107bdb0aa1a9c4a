-- Changes of phone numbers and addresses, for as long as an operator may undo them (security A2).
-- Numbered 1, 2, 3 … for each account; an address is "" where nothing was, or is, bound.
-- A first binding is proven, or it is not: then it vouches for nothing else (security D2, A1).
CREATE TABLE contact_changes (
  account_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  channel TEXT NOT NULL,
  old_address TEXT NOT NULL,
  new_address TEXT NOT NULL,
  changed_at INTEGER NOT NULL,
  is_proven INTEGER NOT NULL,
  undone_at INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX contact_changes_by_time ON contact_changes (changed_at);

-- Sessions that proved to hold what is bound, and until when that counts (security D2).
CREATE TABLE step_ups (
  account_id INTEGER NOT NULL,
  token_hash BLOB NOT NULL,
  channel TEXT NOT NULL,
  ends_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, token_hash, channel)
) STRICT, WITHOUT ROWID;

CREATE INDEX step_ups_by_end ON step_ups (ends_at);
