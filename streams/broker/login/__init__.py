"""Logging in at a broker: passwords, certificates and tokens, read again at every connection."""
