"""The front: one HTTP application for the page, the APIs and the metrics."""
