"""Where an event changes a user."""
