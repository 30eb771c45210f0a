"""What is remembered of each user: tiles, windows, the user state and its stores."""
