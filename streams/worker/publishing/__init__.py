"""Where a user or an item leaves the worker: changelog, row and record."""
