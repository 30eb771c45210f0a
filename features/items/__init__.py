"""What is remembered of an item: facts of applied events, folded by the item."""
