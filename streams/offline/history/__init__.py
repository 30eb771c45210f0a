"""The features of every user at any instant, from files of events."""
