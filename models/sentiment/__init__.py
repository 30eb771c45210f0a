"""Whether a review praises or complains: a small head over the encoder's embedding."""
