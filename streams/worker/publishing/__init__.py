"""Where a user leaves the worker: changelog, row and score."""
