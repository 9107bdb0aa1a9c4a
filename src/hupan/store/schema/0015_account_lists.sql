-- What `hupan account list` finds accounts by, so that it costs the same however many there are.
CREATE INDEX accounts_by_name ON accounts (name);
CREATE INDEX accounts_by_registration ON accounts (registered_at, id);

-- Few accounts are in these.
CREATE INDEX accounts_banned ON accounts (id, banned_until) WHERE banned_until > 0;
CREATE INDEX accounts_vip ON accounts (id, vip_until) WHERE vip_until > 0;
CREATE INDEX accounts_cancelled ON accounts (id, erase_at) WHERE erase_at > 0;
