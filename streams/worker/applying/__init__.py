"""What a stage applies records with, whichever entity they change: lanes, partitions, live states, due times."""
