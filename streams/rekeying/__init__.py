"""The re-keying of a shop's own topics: from any key and partitioning to events keyed by user in the inputs."""
