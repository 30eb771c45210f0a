"""From bytes to events and back: no input, no output, no clock."""
