-- Each time that a console ran. A process that died without a word was last alive at `seen`.
CREATE TABLE console (
    id       TEXT PRIMARY KEY,     -- drawn anew at each start
    broker   TEXT NOT NULL,        -- its URL without the password
    host     TEXT NOT NULL,
    pid      INTEGER NOT NULL,
    started  INTEGER NOT NULL,     -- whole microseconds since the epoch, like all times here
    seen     INTEGER NOT NULL,     -- all events that reached it before are in the history
    stopped  INTEGER NOT NULL      -- 1: it said so itself
);
CREATE INDEX console_seen ON console (seen);

-- Times of which something is missing, as one console knows it.
CREATE TABLE gap (
    console  TEXT NOT NULL,
    kind     TEXT NOT NULL,        -- disconnected, stopped, lost, dropped
    worker   TEXT NOT NULL,        -- of `lost`: whose events; else empty
    start    INTEGER NOT NULL,
    stop     INTEGER,              -- NULL while it lasts
    events   INTEGER,              -- so many at least; NULL: nobody knows
    reason   TEXT NOT NULL,        -- a sentence
    PRIMARY KEY (console, kind, worker, start)
);
CREATE INDEX gap_start ON gap (start);
