"""Micro-batches of texts for the encoder."""
