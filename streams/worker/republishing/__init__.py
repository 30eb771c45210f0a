"""Users who are published again on account of no event."""
