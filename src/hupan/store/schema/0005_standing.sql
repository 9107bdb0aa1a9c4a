-- Invitations. Times are unix seconds, days are counted from 1970-01-01 in the server's zone.

-- Accounts that chose a code of their own, which is allowed once. The code they were made with
-- stays theirs in `identities`, so that it goes on leading to them and to nobody else.
CREATE TABLE invitation_changes (
  account_id INTEGER PRIMARY KEY,
  former_code TEXT NOT NULL,
  changed_at INTEGER NOT NULL
) STRICT;

-- Who invited an account: one inviter, once.
CREATE TABLE invitations (
  account_id INTEGER PRIMARY KEY,
  inviter_id INTEGER NOT NULL,
  invited_at INTEGER NOT NULL
) STRICT;

-- How many an account invited: in all, and on the last day on which it invited anybody.
CREATE TABLE inviters (
  account_id INTEGER PRIMARY KEY,
  invited INTEGER NOT NULL,
  last_day INTEGER NOT NULL,
  invited_on_last_day INTEGER NOT NULL
) STRICT;
