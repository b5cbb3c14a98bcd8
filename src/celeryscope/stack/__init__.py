"""`celeryscope stack DIR`: Celery, its monitoring and its alerts, as files for Docker Compose.

`choice` is what a person asked for, checked. The modules named after programs write their files,
`content` puts them together, and `directory` brings them to the disk and spares what is there.
"""

from __future__ import annotations

from celeryscope.stack.choice import SERVICES, WITH, WITHOUT, Choice, choose
from celeryscope.stack.content import leftovers, stack_files
from celeryscope.stack.directory import Conflict, Written, write
from celeryscope.stack.readme import after_writing

__all__ = [
    "SERVICES",
    "WITH",
    "WITHOUT",
    "Choice",
    "Conflict",
    "Written",
    "after_writing",
    "choose",
    "leftovers",
    "stack_files",
    "write",
]
