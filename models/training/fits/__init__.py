"""Fitting each kind of scorer."""
