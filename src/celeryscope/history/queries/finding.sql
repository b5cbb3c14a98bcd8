-- name: count_all
SELECT count(*) FROM task

-- name: sealed_span
SELECT min(b.oldest), max(b.newest) FROM block AS b LEFT JOIN thinned AS t ON t.block = b.id
WHERE t.tasks IS NULL OR t.tasks > 0

-- name: unsealed_span
SELECT min(at), max(at) FROM task WHERE seq > ?

-- name: searches
SELECT id, owner, name, query, sort, shared, created_at FROM saved_search
WHERE owner = ? OR shared >= ? ORDER BY owner, name, id

-- name: search_of_name
SELECT id FROM saved_search WHERE owner = ? AND name = ?

-- name: search_by_id
SELECT id, owner, name, query, sort, shared, created_at FROM saved_search WHERE id = ?

-- name: count_searches
SELECT count(*) FROM saved_search WHERE owner = ?

-- name: put_search
INSERT INTO saved_search (owner, name, query, sort, shared, created_at)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (owner, name) DO UPDATE SET query = excluded.query, sort = excluded.sort,
    shared = excluded.shared

-- name: drop_search
DELETE FROM saved_search WHERE id = ?
