"""What the users' stage has of its own: events become scores, and facts of items."""
