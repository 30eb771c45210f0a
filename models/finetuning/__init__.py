"""Adapting the encoder: to the polarity of a text, or to a number that is known of its writer."""
