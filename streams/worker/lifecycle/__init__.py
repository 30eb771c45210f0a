"""How a worker starts and ends."""
