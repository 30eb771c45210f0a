"""Values that are JSON already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from streams.records.rejection import Reason, Rejection


class JSONValues:
    """Takes values of records to JSON, of which each one is taken for it."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing was opened."""

    async def read(self, values: Sequence[bytes | None]) -> list[bytes | Rejection]:
        """Return each value without white space around it, or why it is no JSON."""
        return [_read(value) for value in values]


def _read(value: bytes | None) -> bytes | Rejection:
    if value is None or not (found := value.strip(b" \t\r\n")):
        return Rejection(Reason.MALFORMED, "record: expected JSON, found nothing")
    return found
