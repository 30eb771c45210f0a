"""Erasing a user: the request, the wait for the workers, the places that are read back, and the receipt."""
