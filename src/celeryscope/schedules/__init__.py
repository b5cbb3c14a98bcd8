"""When Celery sends tasks by itself: the entries of schedules, read from where they are kept."""
