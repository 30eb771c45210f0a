"""Files of events, of any kind that is read, as the records that a worker would receive."""
