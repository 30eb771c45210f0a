"""What stops the reading of a file half way."""

from streams.exceptions import StreamsError


class UnreadableError(StreamsError, ValueError):
    """A file cannot be read on; the message says what was expected and found there, and its reader adds the place."""
