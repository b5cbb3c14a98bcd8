-- name: relatives
SELECT * FROM task AS t WHERE t.seq BETWEEN ? AND ? AND t.{column} IN ({marks})
ORDER BY t.seq LIMIT ?

-- name: beside
SELECT * FROM task AS t
WHERE t.seq BETWEEN ? AND ? AND t.client = ? AND t.parent IS NULL
    AND t.at - t.sent BETWEEN ? AND ?
