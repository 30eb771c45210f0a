"""What the users' stage has of its own: events become facts and scores."""
