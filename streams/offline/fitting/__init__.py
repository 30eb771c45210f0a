"""From events to a scorer of one's own, in one run."""
