-- What survives a restart. Portable to PostgreSQL but for BLOB (BYTEA there).
-- No name, no secret, no message: titles are sealed, tokens are kept as digests.

CREATE TABLE meetings (
    id BLOB NOT NULL PRIMARY KEY,
    token_hash BLOB NOT NULL,
    sealed_title BLOB NOT NULL,
    policy TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    -- The first free participant id of the call that runs; 1 when none runs.
    next_participant INTEGER NOT NULL DEFAULT 1
);

-- Sessions of calls that run, or ran when the server stopped.
CREATE TABLE sessions (
    meeting BLOB NOT NULL REFERENCES meetings (id) ON DELETE CASCADE,
    participant INTEGER NOT NULL,
    token_hash BLOB NOT NULL,
    -- The token that the client proved to hold last, beside the one handed out last.
    proven_hash BLOB,
    seen_ms INTEGER NOT NULL,
    PRIMARY KEY (meeting, participant)
);

CREATE INDEX sessions_seen ON sessions (seen_ms);
