-- What retention has done so far: one row.
CREATE TABLE pruned (
    id           INTEGER PRIMARY KEY,  -- 1
    changes      INTEGER NOT NULL,     -- how often blocks were taken away
    last_seq     INTEGER NOT NULL,     -- the highest `seq` that a task ever had, when one was removed
    first_seq    INTEGER NOT NULL,     -- the lowest, of tasks that outlived their block: below 0
    first_block  INTEGER NOT NULL,     -- the lowest `id` of a block ever made of such tasks
    rules        TEXT NOT NULL         -- by which `due` below was found
);
INSERT INTO pruned (id, changes, last_seq, first_seq, first_block, rules)
VALUES (1, 0, 0, 0, 0, '');

-- Blocks that retention looked at, and took tasks from.
CREATE TABLE thinned (
    block  INTEGER PRIMARY KEY,
    tasks  INTEGER NOT NULL,           -- that are left
    due    INTEGER NOT NULL            -- when the next of them is too old
);
