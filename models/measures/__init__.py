"""Measures of a forecast."""
