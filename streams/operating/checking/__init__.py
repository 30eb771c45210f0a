"""Whether a worker could start and work here: looked at, and told a line for each thing."""
