"""Shapes of events that shops emit already: one line in such a shape becomes the records of the contract."""
