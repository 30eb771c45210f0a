"""Erasing a user: the request, the wait for the workers, the places read back, and the receipt; of items likewise."""
