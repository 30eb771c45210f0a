"""From features and profile to a score."""
