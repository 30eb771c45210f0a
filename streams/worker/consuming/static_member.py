"""A member of the group under an instance id: its place outlives its process, and has one holder at a time.

aiokafka joins under the id, but sends heartbeats without it. A member whose place a namesake has taken would hear
that nobody knows it, join anew, and take the place back: the two would put each other out for ever.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiokafka.coordinator.protocol import ConsumerProtocol
from aiokafka.errors import NoError, UnknownMemberIdError
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.group import HeartbeatRequest, JoinGroupRequest, SyncGroupRequest

from streams.broker.embedded import CLUSTER
from streams.broker.group_requests import FENCED_INSTANCE_ID, InstanceHeartbeat
from streams.exceptions import BrokerError, ConfigurationError, FencedError, StateMismatchError, StreamsError
from streams.membership_settings import instance_id
from streams.settings import Settings

STATIC_JOIN: Final = 5
"""The first version of a request to join that carries an instance id; aiokafka leaves it out of those before."""


def check_place(settings: Settings, cluster: str) -> str | None:
    """Return the instance id that a worker joins under; None for none.

    Args:
        settings: of the worker.
        cluster: id of the cluster.

    Raises:
        ConfigurationError: there is one, and the broker takes two workers of one id for the same.
    """
    instance = instance_id(settings)
    if instance is not None and cluster == CLUSTER:
        raise ConfigurationError(
            "WHEREWITHAL_GROUP_INSTANCE_ID: expected a broker that tells two workers of one id apart, found the "
            "embedded one, which does not: unset it"
        )
    return instance


class StaticMember:
    """Asks the group's coordinator on behalf of a member with an instance id.

    Args:
        instance: the id.
        coordinator: of aiokafka's consumer.
        on_end: told that the place is lost, before the error is raised.
    """

    def __init__(self, instance: str, coordinator: Any, on_end: Callable[[StreamsError], None]) -> None:
        self._instance = instance
        self._coordinator = coordinator
        self._send: Callable[[Any], Awaitable[Any]] = coordinator._send_req
        self._on_end = on_end
        self._member = ""
        self._generation = -1

    async def ask(self, request: Any) -> Any:
        """Send a request, and return its answer.

        Raises:
            FencedError: another worker has the place; nothing is asked for any more.
            BrokerError: the broker knows no instance ids.
            StateMismatchError: the place is that of a worker of other topics.
            KafkaError: the broker was not reached.
        """
        joins = isinstance(request, JoinGroupRequest)
        if joins and not self._coordinator.member_id:
            await self._check_place()
            # Should the answer be lost, this worker has a place by an id that it never heard of.
            self._member = ""
        if isinstance(request, HeartbeatRequest):
            request = self._heartbeat(self._coordinator.member_id, self._coordinator.generation)
        answer = await self._send(request)
        self._judge(answer)
        if joins and answer.error_code == NoError.errno:
            if answer.API_VERSION < STATIC_JOIN:
                self._end(
                    BrokerError(
                        "expected a broker that knows static members (Apache Kafka 2.3 or later), found one that does "
                        "not: unset WHEREWITHAL_GROUP_INSTANCE_ID"
                    )
                )
            self._member, self._generation = answer.member_id, answer.generation_id
        if isinstance(request, SyncGroupRequest) and answer.error_code == NoError.errno:
            self._check_topics(answer.member_assignment)
        if isinstance(request, OffsetCommitRequest) and _refused(answer):
            await self._check_place()
        return answer

    async def _check_place(self) -> None:
        """Ask who has the place, if this worker ever had it: nobody knows a member that was replaced by its id."""
        if self._member:
            self._judge(await self._send(self._heartbeat(self._member, self._generation)))

    def _check_topics(self, assignment: bytes) -> None:
        """Refuse the place of a worker of other topics: the broker gives it back as it was."""
        assigned = {topic for topic, numbers in ConsumerProtocol.ASSIGNMENT.decode(assignment).assignment if numbers}
        subscribed = set(self._coordinator._subscription.topics)
        if assigned and assigned != subscribed:
            self._end(
                StateMismatchError(
                    f"expected the place of the instance id {self._instance!r} in the group "
                    f"{self._coordinator.group_id!r} to be one for {', '.join(sorted(subscribed))}, found one for "
                    f"{', '.join(sorted(assigned))}: give it up by `wherewithal leave {self._instance}`, then start "
                    "this worker again"
                )
            )

    def _heartbeat(self, member: str, generation: int) -> InstanceHeartbeat:
        return InstanceHeartbeat(self._coordinator.group_id, generation, member, self._instance)

    def _judge(self, answer: Any) -> None:
        if getattr(answer, "error_code", None) == FENCED_INSTANCE_ID:
            self._end(
                FencedError(
                    f"expected to be the only worker with the instance id {self._instance!r} in the group "
                    f"{self._coordinator.group_id!r}, found that another one has taken its place: if that is no "
                    "successor of this one, give each worker a WHEREWITHAL_GROUP_INSTANCE_ID of its own"
                )
            )

    def _end(self, error: StreamsError) -> None:
        self._on_end(error)
        raise error


def _refused(answer: Any) -> bool:
    """Tell whether a commit was refused because nobody knows the member."""
    return any(code == UnknownMemberIdError.errno for _, partitions in answer.topics for _, code in partitions)
