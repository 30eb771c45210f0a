"""Where committed users or items go, and who is told of it: shared by the partitions of an assignment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol

from features.entity import S
from streams.broker.lease import Lease
from streams.broker.publisher import Publisher
from streams.worker.publishing.online_writer import OnlineWriter
from streams.worker.publishing.rounds import Rounds


class Topics(Protocol):
    """Finds the topics that records go to."""

    async def name(self, topic: str, partition: int, lease: Lease) -> str | None:
        """Return the name on the broker of a topic of the contract, for records of this partition; None for nowhere.

        Raises:
            LeaseLostError: the partition may be somebody else's before this is known.
        """
        ...


class Facts(Protocol):
    """Sends what other stages are told of."""

    async def send(self, partition: int, facts: Sequence[Any]) -> None:
        """Return once the broker has acknowledged the facts of a partition, which come in their order.

        Raises:
            LeaseLostError: the partition may be somebody else's; it is not known which facts were taken.
            KafkaError: the broker has not taken all of them in time.
        """
        ...


@dataclass(frozen=True)
class Outlets(Generic[S]):
    """Where committed users or items go, shared by the partitions of a stage.

    Attributes:
        changelog: name of the topic.
        topics: finds those of the records.
        rounds: where groups are taken, together with those of the other partitions.
        published: by topic of the contract, told (Kafka timestamps of the events covered, records) once they are
            acknowledged.
        stored: told the Kafka timestamps of the events that rows cover, once these are in the online store.
        lease: checked before anything is sent.
        on_failure: told of an error, after which this assignment cannot go on: state in memory is ahead of the log.
        facts: where the facts go that events gave; None where none is sent.
    """

    changelog: str
    topics: Topics
    publisher: Publisher
    online: OnlineWriter
    rounds: Rounds[S]
    published: Mapping[str, Callable[[Sequence[int], int], None]]
    stored: Callable[[Sequence[int]], None]
    lease: Lease
    on_failure: Callable[[BaseException], None]
    facts: Facts | None = None
