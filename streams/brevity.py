"""The lines that libraries write into our log: how often, and in which words."""

from __future__ import annotations

import logging
from typing import Final

from streams.exceptions import StreamsError

REPEAT_S: Final = 10.0
"""How often a library may say the same: of a broker that is away, aiokafka says it a hundred times a second."""

ASKED_AGAIN_S: Final = 60.0
"""How often the log says that requests to the broker fail; the worker says by itself that it waits for the broker."""

ASKED_AGAIN: Final = "a request to the broker failed, it is asked again"

MOST_MESSAGES: Final = 1000
"""Messages of libraries that are remembered, so that those made of ever other words take no more memory."""

_KAFKA_CLIENT: Final = "aiokafka"

_OF_REQUESTS: Final = (
    "Unable connect to",
    "Unable to request metadata",
    "Unable to update metadata",
    "Failed fetch ",
    "Error sending ",
    "Marking the coordinator dead",
    "Heartbeat ",
    "Group Coordinator Request failed",
    "Got error produce response",
    "Cannot send ",
    "Could not send ",
    "LeaveGroup request failed",
)
"""Beginnings of what aiokafka says of a request that it repeats by itself: a dozen sentences for one broker away."""

_CRASH: Final = "Crashed reason"
"""What mode says of each service on the way up to the app, of one error, after the service's name."""


class Brevity(logging.Filter):
    """Drops what libraries say too often, and their tracebacks of errors that the command explains in one line.

    Of a repeated message the next line tells how many were left out (`left_out`). All that a client says of requests
    that it repeats is one message; what it said itself is the field `said`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line is to be written; all of ours are."""
        library = record.name.partition(".")[0]
        if library == "wherewithal":
            return True
        if _CRASH in str(record.msg) and _is_explained(_reason(record)):
            return False
        if record.exc_info and (record.exc_info[1] is None or _is_explained(record.exc_info[1])):
            record.exc_info = None
        repeat_s = REPEAT_S
        if library == _KAFKA_CLIENT and str(record.msg).startswith(_OF_REQUESTS):
            repeat_s = ASKED_AGAIN_S
            _reword(record)
        return self._is_due(record, repeat_s)

    def _is_due(self, record: logging.LogRecord, repeat_s: float) -> bool:
        key = record.name, str(record.msg)
        since, left_out = self._said.get(key, (float("-inf"), 0))
        if record.created - since < repeat_s:
            self._said[key] = since, left_out + 1
            return False
        if len(self._said) >= MOST_MESSAGES:
            self._said.clear()
        self._said[key] = record.created, 0
        if left_out:
            record.fields = getattr(record, "fields", {}) | {"left_out": left_out}
        return True


def _reason(record: logging.LogRecord) -> object:
    """Return the error that a line of a crash is about: mode may log it where it is not being handled any more."""
    return record.args[0] if isinstance(record.args, tuple) and record.args else None


def _is_explained(error: object) -> bool:
    """Return whether a command ends with one line about this error: one of ours, or of a connection to the broker."""
    # By the name of its module: this one is imported by commands that need no broker, and aiokafka takes its time.
    return isinstance(error, StreamsError | OSError) or type(error).__module__ == f"{_KAFKA_CLIENT}.errors"


def _reword(record: logging.LogRecord) -> None:
    record.fields = {"said": record.getMessage()}
    record.name, record.msg, record.args = _KAFKA_CLIENT, ASKED_AGAIN, ()
    record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
