-- What people tell of themselves, what of it they show, and what they note about each other.

-- An account without a row has told nothing and chosen nothing. A `shows_` column says what the
-- account chose: 1 to show, 0 to hide, NULL to follow the server (security D4).
CREATE TABLE profiles (
  account_id INTEGER PRIMARY KEY,
  introduction TEXT NOT NULL DEFAULT '',
  gender INTEGER NOT NULL DEFAULT 0,
  birthday INTEGER NOT NULL DEFAULT 0,
  province TEXT NOT NULL DEFAULT '',
  city TEXT NOT NULL DEFAULT '',
  district TEXT NOT NULL DEFAULT '',
  location_code TEXT NOT NULL DEFAULT '',
  updated_at INTEGER NOT NULL DEFAULT 0,
  shows_birthday INTEGER,
  shows_address INTEGER,
  shows_last_active INTEGER,
  shows_country INTEGER
) STRICT;

-- What an account noted about another one; nobody else ever reads it.
CREATE TABLE remarks (
  account_id INTEGER NOT NULL,
  friend_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  phone TEXT NOT NULL,
  others TEXT NOT NULL,
  PRIMARY KEY (account_id, friend_id)
) STRICT, WITHOUT ROWID;
