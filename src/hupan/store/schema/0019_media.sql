-- Pictures that accounts uploaded: the key that the client chose, and the random name of the file. A
-- row without a name holds only the key: an avatar of the public service, which nobody else may take.
CREATE TABLE pictures (
  account_id INTEGER NOT NULL,
  client_key TEXT NOT NULL,
  name TEXT NOT NULL,
  size INTEGER NOT NULL,
  claimed_at INTEGER NOT NULL,
  uploaded_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, client_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX pictures_by_key ON pictures (client_key, claimed_at, account_id);

-- Files to delete once they are due. An upload writes its row here before its file, so that no crash
-- leaves a file without a row. Rows outlive their account: they erase its files.
CREATE TABLE picture_removals (
  account_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  due_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX picture_removals_by_time ON picture_removals (due_at);
