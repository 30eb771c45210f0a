"""The features of every user and item at any instant, from files of events."""
