"""What several commands have in common: arguments, files of events, refusals, progress, and being told to stop."""
