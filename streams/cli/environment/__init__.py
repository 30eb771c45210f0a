"""What the environment gives the program: settings, variables that are none, and versions."""
