"""What a stage works with under one assignment. The assignment knows no more of the entity than this."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol

from features.entity import S
from streams.broker.lease import Lease
from streams.broker.publisher import Publisher
from streams.worker.applying.lane import Lane
from streams.worker.applying.partition import Partition
from streams.worker.state.local_store import LocalStore


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What an assignment lends to what works under it.

    Attributes:
        publisher: writes to the broker under the lease.
        lease: checked before anything is sent.
        hold: told (partition, the offset of the first record that a commit may not pass; None for no such record).
        on_encoder: told (who waits, whether the encoder is down for it).
        on_failure: told of an error, after which the assignment cannot go on.
    """

    publisher: Publisher
    lease: Lease
    hold: Callable[[int, int | None], None]
    on_encoder: Callable[[object, bool], None]
    on_failure: Callable[[BaseException], None]


class Tenure(Protocol, Generic[S]):
    """Partitions and lanes of one assignment."""

    def partition(
        self,
        number: int,
        epoch: int,
        states: LocalStore,
        *,
        first: int,
        cached: Callable[[], int],
        on_applied: Callable[[str, int], None] | None,
    ) -> Partition[S]:
        """Return a partition that is taken over.

        Args:
            number: of the partition.
            epoch: of the assignment.
            states: the local store.
            first: offset from which the topic is delivered whose records are held back.
            cached: tells how many live states are kept decoded.
            on_applied: told (key, time in ms) of everything applied; None where nobody is.
        """
        ...

    def lane(self, topic: str, number: int) -> Lane:
        """Return the lane of a topic of the contract, of a partition that is taken over."""
        ...


class Equipment(Protocol):
    """What a stage works with for as long as the process runs."""

    def begin(self, terms: Terms) -> Tenure[Any]:
        """Return what works under a new assignment."""
        ...
