-- name: newest_tasks
SELECT t.*, b.text, l.told FROM task AS t
LEFT JOIN traceback AS b ON b.seq = t.seq LEFT JOIN life AS l ON l.seq = t.seq
WHERE t.seq < ? ORDER BY t.seq DESC LIMIT ?
