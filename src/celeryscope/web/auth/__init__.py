"""Who somebody is, and how they proved it."""
