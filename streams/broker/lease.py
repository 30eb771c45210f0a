"""The lease: how long a worker may take the partitions of one assignment for its own without word from the broker."""

from __future__ import annotations

import time

from streams.exceptions import StreamsError


class LeaseLostError(StreamsError):
    """The partitions may be somebody else's: no heartbeat was answered for a session timeout, or a rebalance began."""


class Lease:
    """Held from one answered heartbeat for a session timeout, counted from the moment the heartbeat was asked.

    The broker counts a member's session, and its patience during a rebalance, from when it received the last request
    that it answered well. That is not before the request was asked, and both are a session timeout long, so a lease
    always ends before the broker gives the partitions away. A process that was stopped and goes on again finds it
    expired before it sends anything: the monotonic clock does not stop with the process. Without it, a record that
    waited through the stop would end up behind what the new owner wrote, and compaction would keep it.

    Args:
        term_s: the broker gives the partitions away after so long.
        asked_at: when the request that got the partitions was asked (monotonic seconds).
    """

    def __init__(self, term_s: float, asked_at: float) -> None:
        self._term_s = term_s
        self._renewed_at = asked_at
        self._ended = False

    def renew(self, asked_at: float) -> None:
        """Take note of an answer to what was asked at `asked_at` (monotonic seconds); one that has ended stays so."""
        self._renewed_at = max(self._renewed_at, asked_at)

    def end(self) -> None:
        """Let go of the partitions for good: what comes after a rebalance has a lease of its own."""
        self._ended = True

    @property
    def remaining_s(self) -> float:
        """How long it still holds without another answer, in seconds; 0 once it has expired."""
        return 0.0 if self._ended else max(0.0, self._renewed_at + self._term_s - time.monotonic())

    @property
    def expired(self) -> bool:
        """Whether the partitions may be somebody else's."""
        return self._ended or time.monotonic() - self._renewed_at > self._term_s

    def check(self) -> None:
        """Raise if the lease has expired.

        Raises:
            LeaseLostError: it has; nothing must be sent.
        """
        if self._ended:
            raise LeaseLostError(
                "expected the assignment that this was made for, found that a rebalance has ended it: "
                "what was not sent is dropped and delivered again"
            )
        if self.expired:
            raise LeaseLostError(
                f"expected a heartbeat answered within {self._term_s:g} s, found none: "
                "what was not sent is dropped and delivered again"
            )


def no_lease() -> Lease:
    """A lease on nothing, for a worker without an assignment."""
    lease = Lease(0.0, 0.0)
    lease.end()
    return lease
