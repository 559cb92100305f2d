-- The latest commits of a call's group, each by itself: a commit is written once, not again with
-- each one after it.
CREATE TABLE group_log (
    meeting BLOB NOT NULL REFERENCES group_states (meeting) ON DELETE CASCADE,
    epoch INTEGER NOT NULL,
    entry BLOB NOT NULL,
    PRIMARY KEY (meeting, epoch)
);
