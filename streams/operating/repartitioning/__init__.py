"""Another number of partitions: what is known of the users goes to new topics, by key."""
