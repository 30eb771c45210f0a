"""Ways of running the encoder over a batch."""
