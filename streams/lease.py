"""The lease: how long a worker may take its partitions for its own without word from the broker."""

from __future__ import annotations

import time

from streams.exceptions import StreamsError


class LeaseLostError(StreamsError):
    """The last answered heartbeat is older than the session timeout: somebody else may own the partitions."""


class Lease:
    """Held from one answered heartbeat for a session timeout, counted from the moment the heartbeat was asked.

    A process that was stopped and goes on again finds it expired before it sends anything: the monotonic clock does
    not stop with the process. Without it, a record that waited through the stop would end up behind what the new owner
    wrote, and compaction would keep it.

    Args:
        session_timeout_s: the broker gives the partitions away after so long.
    """

    def __init__(self, session_timeout_s: float) -> None:
        self._session_timeout_s = session_timeout_s
        self._renewed_at = float("-inf")

    def renew(self, asked_at: float) -> None:
        """Take note of an answer to what was asked at `asked_at` (monotonic seconds)."""
        self._renewed_at = max(self._renewed_at, asked_at)

    @property
    def expired(self) -> bool:
        """Whether the partitions may be somebody else's."""
        return time.monotonic() - self._renewed_at > self._session_timeout_s

    def check(self) -> None:
        """Raise if the lease has expired.

        Raises:
            LeaseLostError: it has; nothing must be sent.
        """
        if self.expired:
            raise LeaseLostError(
                f"expected a heartbeat answered within {self._session_timeout_s:g} s, found none: "
                "what was not sent is dropped and delivered again"
            )
