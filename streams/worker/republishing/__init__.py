"""Users and items that are published again on account of no event."""
