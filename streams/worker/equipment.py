"""What an engine works with in its stage: everything in which applying and publishing differ between two stages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from streams.broker.lease import Lease
from streams.broker.letters import Letters
from streams.broker.publisher import Publisher
from streams.broker.throttling import Throttle
from streams.inference.title_reader import TitleReader
from streams.settings import Settings
from streams.telemetry.metrics import Metrics
from streams.telemetry.tally import Tally
from streams.worker.applying.lane import Handler
from streams.worker.applying.partition import Partition
from streams.worker.publishing.online_writer import OnlineWriter
from streams.worker.publishing.outlets import Outlets
from streams.worker.state.local_store import LocalStore

Failing = Callable[[BaseException], None]
"""Told of an error, after which an assignment cannot go on."""

Hold = Callable[[int, int | None], None]
"""Told (partition, the offset that is not to be committed yet; None where there is none any more)."""


class Degrading(Protocol):
    """Computes what is published, and says in it whether the encoder works."""

    encoder_down: bool


@dataclass(frozen=True, kw_only=True)
class TakeOver:
    """A partition that is taken over.

    Attributes:
        number: see `Partition`, as the next four.
        epoch: of the assignment.
        states: the local store.
        outlets: where committed states go.
        cached: tells how many live states are kept decoded.
        begins: by topic of the contract, the offset from which it is delivered under this assignment.
        on_applied: told of everything applied: its key and its time, ms; None where nobody is.
    """

    number: int
    epoch: int
    states: LocalStore
    outlets: Outlets[Any]
    cached: Callable[[], int]
    begins: Mapping[str, int]
    on_applied: Callable[[str, int], None] | None


@dataclass(kw_only=True)
class Equipment(ABC):
    """The parts that are made for a stage, and make others for each of its assignments.

    Attributes:
        settings: of the stage.
        letters: where records go that are refused.
        online: where rows go.
        titles: reads titles of items.
        emitter: computes what is published.
        tally, metrics: what is counted.
        throttle: shared by the producers of the assignments.
        clock: the wall clock, ms, by which what is quiet becomes due.
    """

    settings: Settings
    letters: Letters
    online: OnlineWriter
    titles: TitleReader
    emitter: Degrading
    tally: Tally
    metrics: Metrics
    throttle: Throttle
    clock: Callable[[], int]
    _waiting_for_encoder: set[object] = field(default_factory=set)

    @property
    def cached(self) -> int:
        """Live states kept decoded, in all partitions together."""
        return self.settings.cached_users

    @property
    def encoder_down(self) -> bool:
        """Whether texts or titles wait for an encoder that does not work."""
        return self.emitter.encoder_down

    def encoder_changed(self, lane: object, down: bool) -> None:
        """Take note that a lane waits for an encoder that does not work, or no more."""
        (self._waiting_for_encoder.add if down else self._waiting_for_encoder.discard)(lane)
        self.emitter.encoder_down = bool(self._waiting_for_encoder)

    @abstractmethod
    def outlets(self, publisher: Publisher, lease: Lease, on_failure: Failing) -> Outlets[Any]:
        """Return where the states of an assignment go, by its producer and under its lease."""

    @abstractmethod
    def partition(self, taken: TakeOver) -> Partition[Any]:
        """Return a partition that is taken over."""

    @abstractmethod
    def handler(self, topic: str, partition: Partition[Any], hold: Hold, on_failure: Failing) -> Handler:
        """Return what handles the records of a topic of the contract, in a partition that was made here."""
