-- How sessions and accounts come to their end.

-- The order in which an account opened its sessions: one too many ends the oldest (security T4).
-- Seconds would not tell two sign-ins of the same second apart.
ALTER TABLE sessions ADD COLUMN number INTEGER NOT NULL DEFAULT 0;

UPDATE sessions SET number = (
  SELECT count(*) FROM sessions older
  WHERE older.account_id = sessions.account_id
    AND (older.signed_in_at, older.token_hash) <= (sessions.signed_in_at, sessions.token_hash)
);

CREATE INDEX sessions_by_sign_in ON sessions (signed_in_at);
CREATE INDEX sessions_by_use ON sessions (last_used_at);

-- When an account that was cancelled is erased, 0 for every other one (security A7).
ALTER TABLE accounts ADD COLUMN erase_at INTEGER NOT NULL DEFAULT 0;

CREATE INDEX accounts_by_erasure ON accounts (erase_at) WHERE erase_at > 0;

-- Whatever leads to an account is freed with it, codes of invitation that it no longer shows too.
CREATE INDEX identities_by_account ON identities (account_id);
