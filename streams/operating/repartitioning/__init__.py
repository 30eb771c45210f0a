"""Another number of partitions: what is known of users and items goes to new topics, by key."""
