"""What an error of a Kafka client means, in one line."""
