"""What a user can do about a refused line: the option that reads it, if there is one."""

from __future__ import annotations

import re
from typing import Final

_HINTS: Final = tuple(
    (re.compile(pattern), hint)
    for pattern, hint in (
        (
            r"(?:user|item|event|session)_id: .*found (?:an integer|a number)",
            "--integer-ids takes whole numbers as ids",
        ),
        (
            r"timestamp: expected RFC 3339 with an offset.*found another form",
            "--timezone names the zone of local times",
        ),
        (r"(?:price|rating|quantity|results): expected a.*found a string", "--decimal-comma reads 1.234,50 in CSV"),
        (r"\w+: .*found nothing or null", "--map FIELD=COLUMN names its column in a table"),
        (r"record: .*UTF-8|row: expected UTF-8|\w+: expected UTF-8", "--encoding names another one than UTF-8"),
        (r"line: .*found a bare event", "--bare reads events without a topic"),
        (r"line: .*found an object without", "--map FIELD=COLUMN reads objects with fields of other names"),
    )
)


def hint_of(detail: str) -> str | None:
    """Return the option that may read what was refused with this detail of a rejection, in a few words."""
    return next((hint for pattern, hint in _HINTS if pattern.match(detail)), None)
