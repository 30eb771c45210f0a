"""What the items' stage has of its own: facts become item signals."""
