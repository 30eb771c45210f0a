"""Rows to train on, from files or a sample."""
