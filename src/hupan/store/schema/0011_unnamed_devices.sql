-- A sign-in without a device id is a device of its own and pushes no other out (wire.md 5); the bound
-- on an account's sessions holds them.
DROP INDEX sessions_by_device;

CREATE UNIQUE INDEX sessions_by_device ON sessions (account_id, device_id) WHERE device_id <> '';
