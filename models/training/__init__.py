"""Training a scorer."""
