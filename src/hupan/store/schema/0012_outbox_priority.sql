-- What leaves first: 0 a code, 1 a notice that its target was not told that day, 2 any other notice.
-- Each has its own part of the index, so however many notices wait, a code is found at once.
ALTER TABLE outbox ADD COLUMN priority INTEGER NOT NULL DEFAULT 2;

UPDATE outbox SET priority = 1 WHERE purpose LIKE 'notice-%' AND purpose <> 'notice-session-ended';
UPDATE outbox SET priority = 0 WHERE purpose NOT LIKE 'notice-%';

DROP INDEX outbox_by_due;
CREATE INDEX outbox_by_priority ON outbox (channel, priority, due_at);
