-- Meetings that nobody enters any more are removed in time.

-- When a meeting was last entered; when it was created, if it never was.
ALTER TABLE meetings ADD COLUMN used_ms INTEGER NOT NULL DEFAULT 0;

-- Meetings of before this have been in use until now, as far as anybody knows.
UPDATE meetings SET used_ms = CAST(strftime('%s', 'now') AS INTEGER) * 1000;

CREATE INDEX meetings_used ON meetings (used_ms);

-- The few that have, or had, a call: house-keeping looks at these alone.
CREATE INDEX meetings_in_call ON meetings (next_participant) WHERE next_participant > 1;
