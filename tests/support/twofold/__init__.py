"""A whole hostile file and what the contract says of it, read by brute force: users, items, and every line's fate."""
