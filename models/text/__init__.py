"""Cleaning texts, and telling those that say nothing."""
