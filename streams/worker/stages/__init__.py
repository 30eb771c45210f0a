"""The stages of a worker: one of users, one of items."""
