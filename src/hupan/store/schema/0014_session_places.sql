-- The country that a session was opened from, "" where it is not known: an owner or an operator sees
-- by it which of the sessions is not theirs (security T7).
ALTER TABLE sessions ADD COLUMN country TEXT NOT NULL DEFAULT '';
