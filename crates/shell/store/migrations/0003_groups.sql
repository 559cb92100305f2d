-- End-to-end encryption: what the server keeps of a call's group, and the server's own keys.

-- Public tree and context, and the latest commits, of calls that run, or ran when the server
-- stopped. No secret of a group, no message of a member.
CREATE TABLE group_states (
    meeting BLOB NOT NULL PRIMARY KEY REFERENCES meetings (id) ON DELETE CASCADE,
    state BLOB NOT NULL
);

-- The server's own keys, made at its first start: the seeds of Ed25519 keys.
CREATE TABLE server_keys (
    name TEXT NOT NULL PRIMARY KEY,
    seed BLOB NOT NULL
);
