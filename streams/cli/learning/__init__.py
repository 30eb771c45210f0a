"""The command that makes a scorer from events in one run."""
