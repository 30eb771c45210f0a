"""The commands that prepare a cluster, and rearrange what runs on it."""
