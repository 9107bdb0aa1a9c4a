-- The journal of coins: one row for each change, both of its sides in it (security J3, L8).
-- An account's entries are numbered 1 to n without a gap, so a page is a range of numbers and the
-- newest number is how many there are. Rows are only ever added.
CREATE TABLE coin_entries (
  account_id INTEGER NOT NULL,
  number INTEGER NOT NULL CHECK (number > 0),
  key TEXT NOT NULL,
  typ INTEGER NOT NULL,
  reason TEXT NOT NULL,
  remark TEXT NOT NULL,
  actor TEXT NOT NULL,
  before_cents INTEGER NOT NULL CHECK (before_cents >= 0),
  change_cents INTEGER NOT NULL CHECK (change_cents <> 0),
  after_cents INTEGER NOT NULL CHECK (after_cents >= 0),
  counter_account TEXT NOT NULL,
  counter_cents INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, number),
  CHECK (before_cents + change_cents = after_cents),
  CHECK (change_cents + counter_cents = 0)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX coin_entries_by_key ON coin_entries (account_id, key);

-- Changes that were refused, for a while: sent again with the same key they are refused again.
CREATE TABLE coin_refusals (
  account_id INTEGER NOT NULL,
  key TEXT NOT NULL,
  typ INTEGER NOT NULL,
  reason TEXT NOT NULL,
  remark TEXT NOT NULL,
  actor TEXT NOT NULL,
  change_cents INTEGER NOT NULL,
  cause TEXT NOT NULL,
  refused_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX coin_refusals_by_time ON coin_refusals (refused_at);

-- Balances older than the journal become its first entries.
INSERT INTO coin_entries
  (account_id, number, key, typ, reason, remark, actor, before_cents, change_cents, after_cents,
   counter_account, counter_cents, created_at)
SELECT id, 1, 'opening-balance', 2, '期初余额', '', 'migration', 0, coin_cents, coin_cents,
  'opening', -coin_cents, registered_at
FROM accounts WHERE coin_cents > 0;
