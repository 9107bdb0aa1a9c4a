-- Accounts by the beginning of their folded nickname (wire.md 8.3), with what a hit shows: one read
-- finds them. Distributed by the first character, which every search knows. `choice` is 1 for an
-- account that chose to be found and 2 for one that made no choice; others have no row.
-- bound: server, 0, tests/wire/test_search.py: one for each account
CREATE TABLE account_search (
  initial TEXT NOT NULL,
  choice INTEGER NOT NULL CHECK (choice IN (1, 2)),
  folded TEXT NOT NULL,
  id INTEGER NOT NULL,
  name TEXT NOT NULL,
  avatar_url TEXT NOT NULL,
  banned_until INTEGER NOT NULL,
  PRIMARY KEY (initial, choice, folded, id)
) STRICT, WITHOUT ROWID;

ALTER TABLE profiles ADD COLUMN shows_search INTEGER;

-- Up to which id the accounts from before this table are in it.
INSERT INTO counters (name, value) VALUES ('search-filled', 0);

-- What the coin shop sells. `sold` and `stock` change together, with the coins.
-- bound: operators, domain.shop.MAX_PRODUCTS, -: written by operators alone; one more is refused
CREATE TABLE products (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  type INTEGER NOT NULL,
  cycle INTEGER NOT NULL CHECK (cycle >= 0),
  info TEXT NOT NULL,
  description TEXT NOT NULL,
  image_urls TEXT NOT NULL,
  price INTEGER NOT NULL CHECK (price > 0),
  price_vip INTEGER NOT NULL CHECK (price_vip > 0),
  stock INTEGER NOT NULL CHECK (stock >= 0),
  sold INTEGER NOT NULL DEFAULT 0 CHECK (sold >= 0),
  withdrawn_at INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

-- bound: account, domain.shop.MAX_ORDERS, tests/domain/test_shop.py: each costs coins; the oldest are forgotten, their entries of the journal stay
CREATE TABLE product_orders (
  account_id INTEGER NOT NULL,
  number INTEGER NOT NULL CHECK (number > 0),
  product_id INTEGER NOT NULL,
  coins INTEGER NOT NULL CHECK (coins > 0),
  ordered_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX product_orders_by_product ON product_orders (account_id, product_id, ordered_at);
