-- Figures of tasks that ended, by name and time. A task belongs to the slot of its last event, and
-- to that slot's day. They outlive the tasks.
CREATE TABLE figure (
    name       INTEGER NOT NULL,       -- word; 0 without a name; -1 all tasks together
    step       INTEGER NOT NULL,       -- seconds: 900, or 86400
    slot       INTEGER NOT NULL,       -- its start since the epoch, divided by `step`
    succeeded  INTEGER NOT NULL,       -- tasks
    failed     INTEGER NOT NULL,
    revoked    INTEGER NOT NULL,
    rejected   INTEGER NOT NULL,
    lost       INTEGER NOT NULL,
    retried    INTEGER NOT NULL,       -- tasks that were retried at least once
    retries    INTEGER NOT NULL,
    took       INTEGER NOT NULL,       -- microseconds: how long they ran, together
    runs       BLOB NOT NULL,          -- how long each ran: a histogram (model/durations.py)
    waits      BLOB NOT NULL,          -- how long each waited: the same
    PRIMARY KEY (name, step, slot)
) WITHOUT ROWID;

-- Exceptions by type and place in the user's code. `id` is the word of kind 'fingerprint'.
CREATE TABLE fingerprint (
    id        INTEGER PRIMARY KEY,
    type      TEXT NOT NULL,
    file      TEXT NOT NULL,           -- empty: not known
    function  TEXT NOT NULL,
    line      INTEGER NOT NULL,        -- when it was last seen
    first     INTEGER NOT NULL,        -- microseconds since the epoch: first seen
    last      INTEGER NOT NULL         -- last seen
);

-- The tasks that failed. `seq` moves with the task.
CREATE TABLE failure (
    seq          INTEGER PRIMARY KEY,
    fingerprint  INTEGER NOT NULL      -- word
);
CREATE INDEX failure_fingerprint ON failure (fingerprint, seq);

-- Figures of exceptions, by slots of 900 seconds.
CREATE TABLE failing (
    slot         INTEGER NOT NULL,
    fingerprint  INTEGER NOT NULL,     -- word
    name         INTEGER NOT NULL,     -- word; 0 without a name
    failed       INTEGER NOT NULL,     -- tasks
    retried      INTEGER NOT NULL,     -- runs that were retried because of it
    PRIMARY KEY (slot, fingerprint, name)
) WITHOUT ROWID;
