-- name: words
SELECT id, kind, text FROM word WHERE id > ? ORDER BY id

-- name: add_word
INSERT INTO word (kind, text) VALUES (?, ?) ON CONFLICT (kind, text) DO NOTHING

-- name: word
SELECT id FROM word WHERE kind = ? AND text = ?

-- name: task
SELECT * FROM task WHERE uuid = ?

-- name: tasks
SELECT * FROM task WHERE uuid IN (
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)

-- name: tasks_at
SELECT * FROM task WHERE seq IN (
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)

-- name: put_task
INSERT INTO task (
    seq, uuid, state, at, name, worker, queue, client, exchange, routing_key, sent, received,
    started, runtime, wait, retries, described, eta, expires, root, parent, flags, signum, args,
    kwargs, result, exception
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (uuid) DO UPDATE SET
    seq = excluded.seq, state = excluded.state, at = excluded.at, name = excluded.name,
    worker = excluded.worker, queue = excluded.queue, client = excluded.client,
    exchange = excluded.exchange, routing_key = excluded.routing_key, sent = excluded.sent,
    received = excluded.received, started = excluded.started, runtime = excluded.runtime,
    wait = excluded.wait, retries = excluded.retries, described = excluded.described,
    eta = excluded.eta, expires = excluded.expires, root = excluded.root,
    parent = excluded.parent, flags = excluded.flags, signum = excluded.signum,
    args = excluded.args, kwargs = excluded.kwargs, result = excluded.result,
    exception = excluded.exception

-- name: put_traceback
INSERT INTO traceback VALUES (?, ?) ON CONFLICT (seq) DO UPDATE SET text = excluded.text

-- name: put_life
INSERT INTO life VALUES (?, ?) ON CONFLICT (seq) DO UPDATE SET told = excluded.told

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
SELECT max(seq) FROM (SELECT max(seq) AS seq FROM task UNION ALL SELECT last_seq FROM pruned) AS s

-- name: names
SELECT text FROM word WHERE kind = 'name' ORDER BY text

-- name: sealed
SELECT id, last FROM block WHERE id >= 0 UNION ALL SELECT -1, 0 ORDER BY id DESC LIMIT 1

-- name: rows_to_seal
SELECT t.seq, t.uuid, t.state, t.at, t.name, t.worker, t.queue, t.client, t.started, t.runtime,
       t.wait, t.retries, t.root, t.parent, t.args, t.kwargs, t.result, t.exception, b.text,
       w.text, f.fingerprint
FROM task AS t LEFT JOIN traceback AS b ON b.seq = t.seq LEFT JOIN word AS w ON w.id = t.name
     LEFT JOIN failure AS f ON f.seq = t.seq
WHERE t.seq > ? ORDER BY t.seq LIMIT ?

-- name: put_block
INSERT INTO block (
    id, first, last, oldest, newest, min_runtime, max_runtime, min_wait, max_wait, min_retries,
    max_retries, max_ran, bits
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: blocks
SELECT id, first, last, oldest, newest, min_runtime, max_runtime, min_wait, max_wait,
       min_retries, max_retries, max_ran
FROM block WHERE id BETWEEN ? AND ? ORDER BY id

-- name: block_bits
SELECT id, bits FROM block WHERE id BETWEEN ? AND ? ORDER BY id

-- name: forget_bits
UPDATE block SET bits = NULL WHERE id BETWEEN ? AND ?

-- name: put_slice
INSERT INTO slice VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET bits = excluded.bits

-- name: slice
SELECT substr(bits, CAST(? AS INTEGER), 32) FROM slice WHERE id = ?

-- name: sliced
SELECT coalesce((SELECT min(id) FROM slice), 0), coalesce((SELECT max(id) FROM slice), -1)

-- name: find
SELECT {value}, t.at, t.uuid, t.seq FROM task AS t WHERE t.seq BETWEEN ? AND ? AND {where}
ORDER BY 1 {order}, t.at {order}, t.uuid {order} LIMIT ?

-- name: count
SELECT count(*) FROM task AS t WHERE t.seq BETWEEN ? AND ? AND {where}

-- name: facet
SELECT t.{column}, count(*) FROM task AS t WHERE t.seq BETWEEN ? AND ? AND {where} GROUP BY 1
