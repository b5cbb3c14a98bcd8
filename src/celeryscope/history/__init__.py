"""What became of every task, on disk: written once, found in milliseconds.

`store` is the room's door. Under it: `record` puts the events of one task together (pure),
`search` turns a query into SQL (pure), `signature` says which blocks of tasks cannot match (pure).
`sqlite` and `postgresql` are the two databases, `sql` what they are asked. The layout has a page:
docs/design/history.md.
"""
