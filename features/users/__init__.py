"""What is remembered of a user: columns, features, state and its bytes."""
