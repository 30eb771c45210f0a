"""What is remembered of each entity: tiles, windows, states and their stores."""
