"""How far a replay is: how many of its records are settled, of about how many."""

from __future__ import annotations

from collections.abc import Callable


class ReplayPace:
    """Estimates from the share of the files that is read how many records there are.

    Args:
        report: called with what is counted, the number of records settled, and about the number of all; None if there
            is no telling.
        packed_bytes: of the files; None if not known.
    """

    def __init__(self, report: Callable[[str, int, int | None], None], packed_bytes: int | None) -> None:
        self._report = report
        self._packed_bytes = packed_bytes
        self._bytes = 0

    def begin(self) -> None:
        """Report that nothing is settled yet, from when on the pace counts."""
        self._report("records settled", 0, None)

    def read(self, count: int) -> None:
        """Count bytes of the files as read."""
        self._bytes += count

    def settled(self, published: int, behind: int) -> None:
        """Report how many of the published records are settled, all but those that are behind."""
        of = None
        if self._packed_bytes and self._bytes:
            of = max(published, published * self._packed_bytes // self._bytes)
        self._report("records settled", published - behind, of)
