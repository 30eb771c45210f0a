"""The demo: a backlog, a paced stretch, what the scores were worth, three shoppers, and how all of it is shown."""
