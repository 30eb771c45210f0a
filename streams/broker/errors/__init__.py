"""The meaning of a Kafka client's errors, in one line each."""
