-- name: extent
SELECT coalesce((SELECT min(id) FROM block), 0), coalesce((SELECT max(id) FROM block), -1), changes
FROM pruned

-- name: lowest
SELECT first_seq, first_block FROM pruned

-- name: put_lowest
UPDATE pruned SET first_seq = ?, first_block = ?

-- name: count_change
UPDATE pruned SET changes = changes + 1

-- name: put_last_seq
UPDATE pruned SET last_seq = ? WHERE last_seq < ?

-- name: rules
SELECT rules FROM pruned

-- name: put_rules
UPDATE pruned SET rules = ?

-- name: look_again
UPDATE thinned SET due = 0

-- name: move_task
UPDATE task SET seq = ? WHERE seq = ?

-- name: move_traceback
UPDATE traceback SET seq = ? WHERE seq = ?

-- name: move_life
UPDATE life SET seq = ? WHERE seq = ?

-- name: move_attempts
UPDATE attempt SET seq = ? WHERE seq = ?

-- name: move_failure
UPDATE failure SET seq = ? WHERE seq = ?

-- name: drop_tasks
DELETE FROM task WHERE seq BETWEEN ? AND ?

-- name: drop_tracebacks
DELETE FROM traceback WHERE seq BETWEEN ? AND ?

-- name: drop_lives
DELETE FROM life WHERE seq BETWEEN ? AND ?

-- name: drop_all_attempts
DELETE FROM attempt WHERE seq BETWEEN ? AND ?

-- name: drop_failures
DELETE FROM failure WHERE seq BETWEEN ? AND ?

-- name: put_thinned
INSERT INTO thinned (block, tasks, due) VALUES (?, ?, ?)
ON CONFLICT (block) DO UPDATE SET tasks = excluded.tasks, due = excluded.due

-- name: narrow_block
UPDATE block SET oldest = ? WHERE id = ?

-- name: drop_thinned
DELETE FROM thinned WHERE block = ?

-- name: drop_block
DELETE FROM block WHERE id = ?

-- name: any_block
SELECT 1 FROM block WHERE id BETWEEN ? AND ? LIMIT 1

-- name: drop_slices
DELETE FROM slice WHERE id BETWEEN ? AND ?

-- name: ages
SELECT b.id, b.first, b.last, b.oldest, b.newest, t.tasks, t.due
FROM block AS b LEFT JOIN thinned AS t ON t.block = b.id
ORDER BY b.newest, b.id

-- name: block_tasks
SELECT seq, state, at FROM task WHERE seq BETWEEN ? AND ? ORDER BY seq

-- name: unsealed_tasks
SELECT seq, state, at FROM task WHERE seq > ? ORDER BY at, seq

-- name: task_count
SELECT count(*) FROM task

-- name: oldest_unsealed
SELECT min(at) FROM task WHERE seq > ?

-- name: old_failing
DELETE FROM failing WHERE slot < ?

-- name: old_figures_of
DELETE FROM figure WHERE name = ? AND step = ? AND slot < ?

-- name: figured_names
SELECT id FROM word WHERE kind = 'name' UNION ALL SELECT 0 UNION ALL SELECT -1

-- name: row_bytes
SELECT avg(pg_column_size(t.*)) FROM task AS t WHERE t.seq BETWEEN ? AND ?

-- name: more_bytes
SELECT sum(pg_column_size(m.*)) FROM (
    SELECT seq, text AS data FROM traceback UNION ALL SELECT seq, told FROM life
) AS m WHERE m.seq BETWEEN ? AND ?

-- name: block_last
SELECT last FROM block WHERE id = ?

-- name: unsealed_count
SELECT count(*) FROM task WHERE seq > ?
