-- The longest run of a block's tasks that have one: unlike max_runtime it tells nothing of those
-- that run still, so that the longest runs are found in a few blocks.
ALTER TABLE block ADD COLUMN max_ran INTEGER;
UPDATE block SET max_ran = max_runtime;

-- Queries that people keep.
CREATE TABLE saved_search (
    id          INTEGER PRIMARY KEY,
    owner       TEXT NOT NULL,     -- a user's name
    name        TEXT NOT NULL,
    query       TEXT NOT NULL,
    sort        TEXT NOT NULL,     -- newest, oldest, longest, waited, retried
    shared      INTEGER NOT NULL,  -- 1: everybody sees it
    created_at  INTEGER NOT NULL,  -- whole microseconds since the epoch
    UNIQUE (owner, name)
);
