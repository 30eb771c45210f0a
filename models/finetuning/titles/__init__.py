"""Adapting an encoder and its projection to what is bought together."""
