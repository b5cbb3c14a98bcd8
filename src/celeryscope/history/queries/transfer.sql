-- name: all_tasks
SELECT * FROM task WHERE seq > ? ORDER BY seq LIMIT ?

-- name: lowest_seq
SELECT min(seq) FROM task

-- name: all_gaps
SELECT console, kind, worker, start, stop, events, reason FROM gap WHERE stop IS NOT NULL
ORDER BY start

-- name: add_gap
INSERT INTO gap (console, kind, worker, start, stop, events, reason) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (console, kind, worker, start) DO NOTHING
