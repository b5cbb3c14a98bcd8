"""What we claim to be fast, measured: `python -m benchmarks`."""
