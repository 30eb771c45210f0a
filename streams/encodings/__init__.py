"""The encodings of values that a shop's topics may have: JSON, and the wire format of Confluent's schema registry."""
