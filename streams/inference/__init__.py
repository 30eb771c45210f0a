"""The models at work: loading them, reading texts, scoring, labelling."""
