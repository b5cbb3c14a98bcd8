-- name: words
SELECT id, kind, text FROM word WHERE id > ? ORDER BY id

-- name: add_word
INSERT OR IGNORE INTO word (kind, text) VALUES (?, ?)

-- name: word
SELECT id FROM word WHERE kind = ? AND text = ?

-- name: task
SELECT * FROM task WHERE uuid = ?

-- name: task_at
SELECT * FROM task WHERE seq = ?

-- name: put_task
INSERT OR REPLACE INTO task (
    seq, uuid, state, at, name, worker, queue, client, exchange, routing_key, sent, received,
    started, runtime, wait, retries, described, eta, expires, root, parent, flags, signum, args,
    kwargs, result, exception
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: put_traceback
INSERT OR REPLACE INTO traceback VALUES (?, ?)

-- name: put_life
INSERT OR REPLACE INTO life VALUES (?, ?)

-- name: put_attempt
INSERT INTO attempt VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: drop_traceback
DELETE FROM traceback WHERE seq = ?

-- name: drop_life
DELETE FROM life WHERE seq = ?

-- name: drop_attempts
DELETE FROM attempt WHERE seq = ?

-- name: traceback
SELECT text FROM traceback WHERE seq = ?

-- name: life
SELECT told FROM life WHERE seq = ?

-- name: attempts
SELECT * FROM attempt WHERE seq = ? ORDER BY number

-- name: last_seq
SELECT max(seq) FROM task

-- name: names
SELECT text FROM word WHERE kind = 'name' ORDER BY text

-- name: sealed
SELECT id, last FROM block UNION ALL SELECT -1, 0 ORDER BY id DESC LIMIT 1

-- name: rows_to_seal
SELECT t.seq, t.uuid, t.state, t.at, t.name, t.worker, t.queue, t.client, t.started, t.runtime,
       t.wait, t.retries, t.root, t.parent, t.args, t.kwargs, t.result, t.exception, b.text,
       w.text
FROM task AS t LEFT JOIN traceback AS b ON b.seq = t.seq LEFT JOIN word AS w ON w.id = t.name
WHERE t.seq > ? ORDER BY t.seq LIMIT ?

-- name: put_block
INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: blocks
SELECT id, first, last, oldest, newest, min_runtime, max_runtime, min_wait, max_wait,
       min_retries, max_retries
FROM block WHERE id >= ? ORDER BY id

-- name: block_bits
SELECT id, bits FROM block WHERE id BETWEEN ? AND ? ORDER BY id

-- name: forget_bits
UPDATE block SET bits = NULL WHERE id BETWEEN ? AND ?

-- name: put_slice
INSERT OR REPLACE INTO slice VALUES (?, ?)

-- name: slice
SELECT substr(bits, ?, 32) FROM slice WHERE id = ?

-- name: sliced
SELECT max(id) FROM slice

-- name: find
SELECT t.at, t.uuid, t.seq FROM task AS t WHERE t.seq BETWEEN ? AND ? AND {where}
ORDER BY t.at {order}, t.uuid {order} LIMIT ?

-- name: count
SELECT count(*) FROM task AS t WHERE t.seq BETWEEN ? AND ? AND {where}

-- name: facet
SELECT t.{column}, count(*) FROM task AS t WHERE t.seq BETWEEN ? AND ? AND {where} GROUP BY 1
