-- name: gaps_between
SELECT console, kind, worker, start, stop, events, reason FROM gap
WHERE start < ? AND (stop IS NULL OR stop > ?) ORDER BY start DESC LIMIT ?

-- name: put_gap
INSERT INTO gap (console, kind, worker, start, stop, events, reason) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (console, kind, worker, start) DO UPDATE
SET stop = excluded.stop, events = excluded.events, reason = excluded.reason

-- name: open_gaps
SELECT g.console, g.kind, g.worker, g.start, c.seen FROM gap AS g
JOIN console AS c ON c.id = g.console
WHERE g.stop IS NULL AND g.console <> ? AND (c.stopped = 1 OR c.seen < ?)

-- name: close_gap
UPDATE gap SET stop = ? WHERE console = ? AND kind = ? AND worker = ? AND start = ?

-- name: prune_gaps
DELETE FROM gap WHERE stop < ?

-- name: count_gaps
SELECT count(*) FROM gap

-- name: put_console
INSERT INTO console (id, broker, host, pid, started, seen, stopped) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET seen = excluded.seen, stopped = excluded.stopped

-- name: stop_console
UPDATE console SET stopped = 1 WHERE id = ?

-- name: consoles_between
SELECT id, broker, host, pid, started, seen, stopped FROM console
WHERE started < ? AND seen > ? ORDER BY seen DESC LIMIT ?

-- name: last_consoles
SELECT id, broker, host, pid, started, seen, stopped FROM console
WHERE broker = ? AND id <> ? ORDER BY seen DESC LIMIT ?

-- name: prune_consoles
DELETE FROM console WHERE seen < ?
