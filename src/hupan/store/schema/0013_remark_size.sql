-- The characters of all remarks that an account keeps, so that a bound of them costs no walk.
ALTER TABLE accounts ADD COLUMN remark_size INTEGER NOT NULL DEFAULT 0;

UPDATE accounts SET remark_size = (
  SELECT sum(length(r.name) + length(r.phone) + length(r.others))
  FROM remarks r WHERE r.account_id = accounts.id
)
WHERE EXISTS (SELECT 1 FROM remarks r WHERE r.account_id = accounts.id);
