-- Words that many tasks share. The numbers of Celery's states are fixed: queries name them.
CREATE TABLE word (
    id    INTEGER PRIMARY KEY,
    kind  TEXT NOT NULL,   -- state, name, worker, queue, client, exchange, routing_key
    text  TEXT NOT NULL,
    UNIQUE (kind, text)
);
INSERT INTO word (id, kind, text) VALUES
    (1, 'state', 'PENDING'), (2, 'state', 'RECEIVED'), (3, 'state', 'STARTED'),
    (4, 'state', 'RETRY'), (5, 'state', 'SUCCESS'), (6, 'state', 'FAILURE'),
    (7, 'state', 'REVOKED'), (8, 'state', 'REJECTED');

-- Every task once. Times are whole microseconds.
CREATE TABLE task (
    seq          INTEGER PRIMARY KEY,  -- grows; a task whose block is sealed moves to the end
    uuid         BLOB NOT NULL UNIQUE, -- 16 bytes, or text (rows.id_key)
    state        INTEGER NOT NULL,     -- word
    at           INTEGER NOT NULL,     -- since the epoch: of the event that set the state
    name         INTEGER,              -- words
    worker       INTEGER,
    queue        INTEGER,
    client       INTEGER,
    exchange     INTEGER,
    routing_key  INTEGER,
    sent         INTEGER,              -- before `at`, like the two below
    received     INTEGER,
    started      INTEGER,
    runtime      INTEGER,
    wait         INTEGER,
    retries      INTEGER NOT NULL,
    described    INTEGER,              -- before `at`: of the event that gave name and arguments
    eta          TEXT,
    expires      TEXT,
    root         BLOB,                 -- NULL where it is the task itself
    parent       BLOB,
    flags        INTEGER NOT NULL,     -- 1 terminated, 2 expired, 4 truncated, 8 has a traceback,
                                       -- 16 has a life of its own, 32 its root is known,
                                       -- 64 its arguments were cut, 128 found out by ourselves
    signum       TEXT,
    args         TEXT,
    kwargs       TEXT,
    result       TEXT,
    exception    TEXT
);

CREATE TABLE traceback (
    seq   INTEGER PRIMARY KEY,
    text  BLOB NOT NULL                -- zlib
);

-- Of a task whose columns cannot say everything (it ran more than once, or told of states of its
-- own): all that was told of it.
CREATE TABLE life (
    seq   INTEGER PRIMARY KEY,
    told  BLOB NOT NULL                -- zlib of JSON
);

-- The runs of such a task. The one run of any other is the task's own row.
CREATE TABLE attempt (
    seq        INTEGER NOT NULL,
    number     INTEGER NOT NULL,       -- in the order they began, from 0
    retries    INTEGER,
    worker     INTEGER,
    state      INTEGER NOT NULL,
    received   INTEGER,                -- since the epoch, like the two below
    started    INTEGER,
    ended      INTEGER,
    runtime    INTEGER,
    wait       INTEGER,
    exception  TEXT,
    PRIMARY KEY (seq, number)
) WITHOUT ROWID;

-- Tasks `first` to `last`, sealed: what can be in them at most.
CREATE TABLE block (
    id           INTEGER PRIMARY KEY,  -- from 0, without holes
    first        INTEGER NOT NULL,
    last         INTEGER NOT NULL,
    oldest       INTEGER NOT NULL,     -- of `at`
    newest       INTEGER NOT NULL,
    min_runtime  INTEGER,              -- NULL: no task has one
    max_runtime  INTEGER,
    min_wait     INTEGER,
    max_wait     INTEGER,
    min_retries  INTEGER NOT NULL,
    max_retries  INTEGER NOT NULL,
    bits         BLOB                  -- its signature, until its segment is sliced
);

-- Signatures of 256 blocks at a time, turned: for each bit, which blocks have it.
CREATE TABLE slice (
    id    INTEGER PRIMARY KEY,         -- segment * 4096 + bit / 63
    bits  BLOB NOT NULL                -- 63 bits of the signature, 32 bytes each
);
