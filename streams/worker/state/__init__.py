"""The table of a stage, its local store and its recovery."""
