"""The check of files of events before anything is made of them."""
