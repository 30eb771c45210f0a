"""Structured logging: one JSON object per line on standard error, no text a user wrote, no raw user id."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

from streams.brevity import Brevity
from streams.terminal import shown


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
        return shown(json.dumps(entry, ensure_ascii=False, default=str))


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
