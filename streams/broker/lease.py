"""The lease: the time for which a worker may rely on owning its partitions without an answer from the broker."""

from __future__ import annotations

import time

from streams.exceptions import StreamsError


class LeaseLostError(StreamsError):
    """Another worker may own the partitions: no heartbeat was answered for a session timeout, or a rebalance began."""


class Lease:
    """A lease on the partitions of one assignment. It ends a session timeout after the last answered request.

    The broker counts a member's session, and its patience during a rebalance, from when it received the last request
    that it answered well. It cannot receive a request before the worker sends it, and both times are a session timeout
    long. So a lease always ends before the broker gives the partitions away. A process that was stopped and goes on
    finds its lease expired before it sends anything, because the monotonic clock runs on. Without the lease, a record
    that waited through the stop would be written behind the records of the new owner, and compaction would keep it.

    Args:
        term_s: seconds after which the broker gives the partitions away.
        asked_at: when the request that got the partitions was sent (monotonic seconds).
    """

    def __init__(self, term_s: float, asked_at: float) -> None:
        self._term_s = term_s
        self._renewed_at = asked_at
        self._ended = False

    def renew(self, asked_at: float) -> None:
        """Extend the lease by the answer to a request of `asked_at` (monotonic seconds). An ended lease stays ended."""
        self._renewed_at = max(self._renewed_at, asked_at)

    def end(self) -> None:
        """End the lease for good; the assignment after a rebalance gets a new one."""
        self._ended = True

    @property
    def remaining_s(self) -> float:
        """The seconds for which the lease still holds without another answer; 0 once it has expired."""
        return 0.0 if self._ended else max(0.0, self._renewed_at + self._term_s - time.monotonic())

    @property
    def expired(self) -> bool:
        """Whether another worker may own the partitions."""
        return self._ended or time.monotonic() - self._renewed_at > self._term_s

    def check(self) -> None:
        """Raise if the lease has expired.

        Raises:
            LeaseLostError: the lease has expired, so nothing may be sent.
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
