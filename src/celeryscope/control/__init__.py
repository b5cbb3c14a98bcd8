"""Commands: what workers are told and answer, and what the console does itself."""
