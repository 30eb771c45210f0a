"""The user table, its local store and its recovery."""
