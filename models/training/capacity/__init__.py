"""Fitting the head of capacity to few labels."""
