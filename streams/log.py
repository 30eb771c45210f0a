"""Structured logging: one JSON object per line on standard error, no text a user wrote, no raw user id."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any, Final

from streams.exceptions import StreamsError

REPEAT_S: Final = 10.0
"""How often a library may say the same: of a broker that is away, aiokafka says it a hundred times a second."""

MOST_MESSAGES: Final = 1000
"""Messages of libraries that are remembered, so that those made of ever other words take no more memory."""


class JSONFormatter(logging.Formatter):
    """One event per line: time, level, logger, message and the fields it came with."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        entry: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= getattr(record, "fields", {})
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


class Brevity(logging.Filter):
    """Drops what libraries say too often, and tracebacks of errors whose message says what to do.

    Of a repeated message the next line tells how many were left out (`left_out`).
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line is to be written; all of ours are."""
        if record.name.partition(".")[0] == "wherewithal":
            return True
        if record.exc_info and isinstance(record.exc_info[1], StreamsError):
            record.exc_info = None
        key = record.name, str(record.msg)
        since, left_out = self._said.get(key, (float("-inf"), 0))
        if record.created - since < REPEAT_S:
            self._said[key] = since, left_out + 1
            return False
        if len(self._said) >= MOST_MESSAGES:
            self._said.clear()
        self._said[key] = record.created, 0
        if left_out:
            record.fields = {"left_out": left_out}
        return True


class Log:
    """A logger that takes fields by keyword."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def info(self, message: str, **fields: object) -> None:
        """Log what an operator may want to know."""
        self._logger.info(message, extra={"fields": fields})

    def warning(self, message: str, **fields: object) -> None:
        """Log what an operator should look at."""
        self._logger.warning(message, extra={"fields": fields})

    def error(self, message: str, **fields: object) -> None:
        """Log what an operator must act on."""
        self._logger.error(message, extra={"fields": fields})


log = Log("wherewithal")


def set_up_logging(level: int) -> None:
    """Send every logger's lines to standard error as JSON: ours from `level` on, the libraries' from WARNING."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONFormatter())
    handler.addFilter(Brevity())
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    logging.getLogger("wherewithal").setLevel(level)
