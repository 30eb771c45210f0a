"""What an engine works with in its stage: everything in which applying and publishing differ between two stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from streams.broker.lease import Lease
from streams.broker.publisher import Publisher
from streams.broker.throttling import Throttle
from streams.telemetry.metrics import Metrics
from streams.worker.applying.lane import Handler
from streams.worker.applying.partition import Partition
from streams.worker.publishing.committer import Outlets
from streams.worker.state.local_store import LocalStore

Failing = Callable[[BaseException], None]
"""Told of an error, after which an assignment cannot go on."""


class Equipment(Protocol):
    """The parts that are made for a stage, and make others for each of its assignments."""

    @property
    def metrics(self) -> Metrics:
        """What is counted."""

    @property
    def throttle(self) -> Throttle:
        """Shared by the producers of the assignments."""

    @property
    def clock(self) -> Callable[[], int]:
        """The wall clock, ms, by which what is quiet becomes due."""

    @property
    def cached(self) -> int:
        """Live states kept decoded, in all partitions together."""

    @property
    def encoder_down(self) -> bool:
        """Whether texts or titles wait for an encoder that does not work."""

    def outlets(self, publisher: Publisher, lease: Lease, on_failure: Failing) -> Outlets[Any]:
        """Return where the states of an assignment go, by its producer and under its lease."""
        ...

    def partition(
        self,
        number: int,
        epoch: int,
        states: LocalStore,
        outlets: Outlets[Any],
        *,
        cached: Callable[[], int],
        begins: Mapping[str, int],
        on_applied: Callable[[str, int], None] | None,
    ) -> Partition[Any]:
        """Return a partition that is taken over.

        Args:
            number: see `Partition`, as the next four.
            epoch: of the assignment.
            states: the local store.
            outlets: where committed states go.
            cached: tells how many live states are kept decoded.
            begins: by topic of the contract, the offset from which it is delivered under this assignment.
            on_applied: told of everything applied: its key and its time, ms; None where nobody is.
        """
        ...

    def handler(
        self, topic: str, partition: Partition[Any], hold: Callable[[int, int | None], None], on_failure: Failing
    ) -> Handler:
        """Return what handles the records of a topic of the contract.

        Args:
            topic: its name in the contract.
            partition: whose records they are.
            hold: told (partition, the offset that is not to be committed yet; None where there is none any more).
            on_failure: told of an error that ends the assignment.
        """
        ...
