"""What the cluster looks like now, folded from events."""
