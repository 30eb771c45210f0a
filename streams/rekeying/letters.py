"""The marks of a dead letter whose record was one of a shop's own topic, by which it can be translated again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from streams.records.ndjson import Record

REKEYED: Final = "rekeyed"
"""The header that tells such a letter: the format by which its record was read. Its `topic` is one of the shop."""

SENT: Final = "sent"
"""The header that names the events of the record that were sent before, by their marks with commas between."""

MARK_BYTES: Final = 8


class _Known(msgspec.Struct):
    event_id: str = ""


_known: Final = msgspec.json.Decoder(_Known)


def marks(format: str, sent: Sequence[Record]) -> list[tuple[str, bytes]]:
    """Return the headers of a letter.

    Args:
        format: by which its record was read.
        sent: events of the record that were sent all the same.
    """
    found = [(REKEYED, format.encode())]
    return [*found, (SENT, ",".join(map(mark_of, sent)).encode())] if sent else found


def mark_of(event: Record) -> str:
    """Return what tells an event from the others of its record, however often it is translated: hexadecimal digits."""
    known = _known.decode(event.value).event_id.encode()
    return blake2b(event.topic.encode() + b"/" + (known or event.value), digest_size=MARK_BYTES).hexdigest()


def marked(headers: Iterable[tuple[str, bytes]]) -> frozenset[str] | None:
    """Return the marks of the events sent before; None of a letter that is not that of a shop's record."""
    named = dict(headers)
    if REKEYED not in named:
        return None
    return frozenset((named.get(SENT) or b"").decode(errors="replace").split(",")) - {""}
