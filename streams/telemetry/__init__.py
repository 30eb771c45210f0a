"""Metrics, health and the log of served rows: the ways in which a worker reports on itself."""
