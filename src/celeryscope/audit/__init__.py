"""Who did what, to whom, and what came of it: a chain of entries that is only ever added to."""
