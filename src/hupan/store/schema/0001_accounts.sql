-- Accounts, their sign-ins, and the codes that lead there.
-- Times are unix seconds, coins hundredths, days are counted from 1970-01-01 in the server's zone.
-- Every primary key begins with what the table would be distributed by.

-- Numbers that are handed out once: the next account, the next server process.
CREATE TABLE counters (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO counters (name, value) VALUES ('account', 1000000), ('process', 0);

CREATE TABLE accounts (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  name_id INTEGER NOT NULL DEFAULT 0,
  avatar_url TEXT NOT NULL DEFAULT '',
  avatar_id INTEGER NOT NULL DEFAULT 0,
  phone TEXT NOT NULL DEFAULT '',
  email TEXT NOT NULL DEFAULT '',
  coin_cents INTEGER NOT NULL DEFAULT 0 CHECK (coin_cents >= 0),
  vip_until INTEGER NOT NULL DEFAULT 0,
  banned_until INTEGER NOT NULL DEFAULT 0,
  ban_reason TEXT NOT NULL DEFAULT '',
  invitation_code TEXT NOT NULL,
  registered_at INTEGER NOT NULL,
  online_days INTEGER NOT NULL DEFAULT 0,
  days_in_a_row INTEGER NOT NULL DEFAULT 0,
  last_seen_day INTEGER NOT NULL DEFAULT 0,
  last_active_at INTEGER NOT NULL DEFAULT 0,
  country TEXT NOT NULL DEFAULT '',
  password_hash TEXT NOT NULL DEFAULT ''
) STRICT;

-- What must be unique across accounts: phone, email, invitation. The value is in its normal form.
CREATE TABLE identities (
  kind TEXT NOT NULL,
  value TEXT NOT NULL,
  account_id INTEGER NOT NULL,
  PRIMARY KEY (value, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
  account_id INTEGER NOT NULL,
  token_hash BLOB NOT NULL,
  device_id TEXT NOT NULL,
  platform TEXT NOT NULL,
  signed_in_at INTEGER NOT NULL,
  last_used_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, token_hash)
) STRICT, WITHOUT ROWID;

-- A session belongs to (account, device id); a new sign-in of that pair replaces the old one.
CREATE UNIQUE INDEX sessions_by_device ON sessions (account_id, device_id);

-- Tokens that signed out, for a while: signing out twice is a success (security T5).
CREATE TABLE left_sessions (
  account_id INTEGER NOT NULL,
  token_hash BLOB NOT NULL,
  left_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, token_hash)
) STRICT, WITHOUT ROWID;

CREATE INDEX left_sessions_by_time ON left_sessions (left_at);

-- Devices that ever signed in to an account: their wrong codes are counted apart (security C5).
CREATE TABLE devices (
  account_id INTEGER NOT NULL,
  device_id TEXT NOT NULL,
  platform TEXT NOT NULL,
  first_seen_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, device_id)
) STRICT, WITHOUT ROWID;

-- One live code for each (channel, target); the class says all that it may ever do (security D1).
CREATE TABLE codes (
  target TEXT NOT NULL,
  channel TEXT NOT NULL,
  class TEXT NOT NULL,
  account_id INTEGER NOT NULL,
  mac BLOB NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (target, channel)
) STRICT, WITHOUT ROWID;

CREATE INDEX codes_by_expiry ON codes (expires_at);

-- Captchas that were answered, rightly or not, until they would have expired anyway.
CREATE TABLE spent_captchas (
  id BLOB PRIMARY KEY,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX spent_captchas_by_expiry ON spent_captchas (expires_at);

-- How often something was done to a subject within a window (security C5, C11).
CREATE TABLE tallies (
  subject TEXT NOT NULL,
  name TEXT NOT NULL,
  count INTEGER NOT NULL,
  ends_at INTEGER NOT NULL,
  PRIMARY KEY (subject, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX tallies_by_end ON tallies (ends_at);

-- Messages to send, written in the transaction that wants them sent; a code in them is sealed.
CREATE TABLE outbox (
  target TEXT NOT NULL,
  id TEXT NOT NULL,
  channel TEXT NOT NULL,
  purpose TEXT NOT NULL,
  sealed_code BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (target, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_by_due ON outbox (channel, due_at);

CREATE TABLE medals (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  sort INTEGER NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  image_url TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE account_medals (
  account_id INTEGER NOT NULL,
  medal_id INTEGER NOT NULL,
  PRIMARY KEY (account_id, medal_id)
) STRICT, WITHOUT ROWID;
