"""What Prometheus reads: every metric, counted from events or read when it asks."""
