-- Figures of tasks that ended, and of exceptions.

-- name: figure
SELECT succeeded, failed, revoked, rejected, lost, retried, retries, took, runs, waits
FROM figure WHERE name = ? AND step = ? AND slot = ?

-- name: put_figure
INSERT INTO figure
    (name, step, slot, succeeded, failed, revoked, rejected, lost, retried, retries, took, runs,
     waits)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (name, step, slot) DO UPDATE SET
    succeeded = excluded.succeeded, failed = excluded.failed, revoked = excluded.revoked,
    rejected = excluded.rejected, lost = excluded.lost, retried = excluded.retried,
    retries = excluded.retries, took = excluded.took, runs = excluded.runs,
    waits = excluded.waits

-- name: drop_figure
DELETE FROM figure WHERE name = ? AND step = ? AND slot = ?

-- name: fingerprint_word
SELECT id FROM word WHERE kind = 'fingerprint' AND text = ?

-- name: count_fingerprints
SELECT count(*) FROM fingerprint

-- name: put_fingerprint
INSERT INTO fingerprint (id, type, file, function, line, first, last)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    line = CASE WHEN excluded.last >= fingerprint.last THEN excluded.line
           ELSE fingerprint.line END,
    first = CASE WHEN excluded.first < fingerprint.first THEN excluded.first
            ELSE fingerprint.first END,
    last = CASE WHEN excluded.last > fingerprint.last THEN excluded.last
           ELSE fingerprint.last END

-- name: failure
SELECT fingerprint FROM failure WHERE seq = ?

-- name: put_failure
INSERT INTO failure (seq, fingerprint) VALUES (?, ?)
ON CONFLICT (seq) DO UPDATE SET fingerprint = excluded.fingerprint

-- name: drop_failure
DELETE FROM failure WHERE seq = ?

-- name: add_failing
INSERT INTO failing (slot, fingerprint, name, failed, retried) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (slot, fingerprint, name) DO UPDATE SET
    failed = failing.failed + excluded.failed, retried = failing.retried + excluded.retried

-- name: drop_failing
DELETE FROM failing
WHERE slot = ? AND fingerprint = ? AND name = ? AND failed <= 0 AND retried <= 0

-- name: figures
SELECT f.name, f.slot, f.succeeded, f.failed, f.revoked, f.rejected, f.lost, f.retried, f.retries, f.took,
       f.runs, f.waits
FROM (SELECT id FROM word WHERE kind = 'name' UNION ALL SELECT 0) AS n
    JOIN figure AS f ON f.name = n.id AND f.step = ? AND f.slot >= ? AND f.slot < ?

-- name: figures_of
SELECT f.slot, f.succeeded, f.failed, f.revoked, f.rejected, f.lost, f.retried, f.retries, f.took,
       f.runs, f.waits
FROM figure AS f WHERE f.name = ? AND f.step = ? AND f.slot >= ? AND f.slot < ?

-- name: counts_of
SELECT f.slot, f.succeeded + f.failed + f.revoked + f.rejected + f.lost, f.failed
FROM figure AS f WHERE f.name = ? AND f.step = ? AND f.slot >= ? AND f.slot < ?

-- name: figures_begin
SELECT min(slot) FROM figure WHERE name = -1 AND step = 900

-- name: ended_between
SELECT t.at, t.name, t.state, t.runtime, t.started, t.wait, t.retries, t.queue, f.fingerprint
FROM block AS b CROSS JOIN task AS t LEFT JOIN failure AS f ON f.seq = t.seq
WHERE b.newest >= ? AND b.oldest < ? AND t.seq BETWEEN b.first AND b.last
    AND t.at >= ? AND t.at < ? AND t.state IN (5, 6, 7, 8, ?)
UNION ALL
SELECT t.at, t.name, t.state, t.runtime, t.started, t.wait, t.retries, t.queue, f.fingerprint
FROM task AS t LEFT JOIN failure AS f ON f.seq = t.seq
WHERE t.seq > coalesce((SELECT last FROM block ORDER BY id DESC LIMIT 1), 0)
    AND t.at >= ? AND t.at < ? AND t.state IN (5, 6, 7, 8, ?)
LIMIT ?

-- name: failing_between
SELECT f.fingerprint, f.name, f.bar, sum(f.failed), sum(f.retried)
FROM (
    SELECT fingerprint, name, (slot - ?) / ? AS bar, failed, retried FROM failing
    WHERE slot >= ? AND slot < ?
) AS f
GROUP BY f.fingerprint, f.name, f.bar

-- name: failing_spans
SELECT name, min(slot), max(slot) FROM failing WHERE fingerprint = ? GROUP BY name

-- name: fingerprint
SELECT f.id, w.text, f.type, f.file, f.function, f.line, f.first, f.last
FROM fingerprint AS f JOIN word AS w ON w.id = f.id WHERE f.id = ?

-- name: fingerprint_examples
SELECT t.uuid, t.name, t.queue
FROM (SELECT seq FROM failure WHERE fingerprint = ? ORDER BY seq DESC LIMIT ?) AS f
    JOIN task AS t ON t.seq = f.seq
WHERE t.at >= ? AND t.at < ?
ORDER BY t.seq DESC

-- name: name_words
SELECT id, text FROM word WHERE kind = 'name'

-- name: queue_words
SELECT id, text FROM word WHERE kind = 'queue'

-- name: lost_word
SELECT id FROM word WHERE kind = 'state' AND text = 'LOST'
