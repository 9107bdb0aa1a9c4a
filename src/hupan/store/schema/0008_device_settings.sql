-- What an account set for one device. An account's rows are numbered 1, 2, 3 … without a gap: a
-- device that pushes out the one set longest ago takes over its number.

-- Parts of the client that are hidden, `,30,20,10` in the order in which they were set.
CREATE TABLE ignored_modules (
  account_id INTEGER NOT NULL,
  device_id TEXT NOT NULL,
  number INTEGER NOT NULL,
  modules TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, device_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE notification_settings (
  account_id INTEGER NOT NULL,
  device_id TEXT NOT NULL,
  number INTEGER NOT NULL,
  registration_id TEXT NOT NULL,
  is_open INTEGER NOT NULL CHECK (is_open IN (0, 1)),
  type INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, device_id)
) STRICT, WITHOUT ROWID;
