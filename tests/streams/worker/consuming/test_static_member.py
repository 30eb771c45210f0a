"""What a member with an instance id asks of its group, and when it has lost its place."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocol
from aiokafka.errors import KafkaConnectionError, NoError, UnknownMemberIdError
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.group import HeartbeatRequest, JoinGroupRequest, SyncGroupRequest

from streams.broker.group_requests import FENCED_INSTANCE_ID, InstanceHeartbeat
from streams.exceptions import BrokerError, FencedError, StateMismatchError
from streams.worker.consuming.static_member import STATIC_JOIN, StaticMember

OK, UNKNOWN = NoError.errno, UnknownMemberIdError.errno


class Coordinator:
    """Stands for aiokafka's, with the answers that a broker gives, and what it was asked."""

    def __init__(self) -> None:
        self.group_id = "g"
        self.member_id, self.generation = "", -1
        self.asked: list[Any] = []
        self.place = OK
        """What a heartbeat under the instance id is answered with."""
        self.commits = OK
        self.version = STATIC_JOIN
        self.lost = False
        """Whether answers to requests to join get lost."""
        self.assigned: list[str] = []
        self._subscription = SimpleNamespace(topics=frozenset({"clicks", "reviews"}))

    async def _send_req(self, request: Any) -> Any:
        self.asked.append(request)
        if isinstance(request, JoinGroupRequest) and self.lost:
            raise KafkaConnectionError
        if isinstance(request, JoinGroupRequest):
            return SimpleNamespace(API_VERSION=self.version, error_code=OK, member_id="w1-a", generation_id=7)
        if isinstance(request, SyncGroupRequest):
            assignment = ConsumerProtocol.ASSIGNMENT(0, [(topic, [0]) for topic in self.assigned], b"")
            return SimpleNamespace(error_code=OK, member_assignment=assignment.encode())
        if isinstance(request, OffsetCommitRequest):
            return SimpleNamespace(topics=[("clicks", [(0, self.commits)])])
        return SimpleNamespace(error_code=self.place)

    def joined(self) -> None:
        self.member_id, self.generation = "w1-a", 7

    def reset(self) -> None:
        """Forget who it is, as aiokafka does once nobody knows the member."""
        self.member_id, self.generation = "", -1


JOIN = JoinGroupRequest("g", 6000, 6000, "", "w1", "consumer", [])
HEARTBEAT = HeartbeatRequest("g", 7, "w1-a")
SYNC = SyncGroupRequest("g", 7, "w1-a", "w1", [])
COMMIT = OffsetCommitRequest("g", 7, "w1-a", -1, [])


@pytest.fixture
def coordinator() -> Coordinator:
    return Coordinator()


@pytest.fixture
def ends() -> list[BaseException]:
    return []


@pytest.fixture
def member(coordinator: Coordinator, ends: list[BaseException]) -> StaticMember:
    return StaticMember("w1", coordinator, ends.append)


async def test_heartbeats_tell_the_instance_id(member: StaticMember, coordinator: Coordinator) -> None:
    await member.ask(JOIN)
    coordinator.joined()
    await member.ask(HEARTBEAT)
    (_, sent) = coordinator.asked
    assert isinstance(sent, InstanceHeartbeat)
    built = sent.prepare({InstanceHeartbeat.API_KEY: (0, 4)})
    assert (built.group, built.generation_id, built.member_id, built.group_instance_id) == ("g", 7, "w1-a", "w1")


async def test_a_heartbeat_that_tells_of_another_holder_ends_the_worker(
    member: StaticMember, coordinator: Coordinator, ends: list[BaseException]
) -> None:
    await member.ask(JOIN)
    coordinator.joined()
    coordinator.place = FENCED_INSTANCE_ID
    with pytest.raises(FencedError, match=r"'w1' in the group 'g'.* of its own"):
        await member.ask(HEARTBEAT)
    assert len(ends) == 1


@pytest.mark.parametrize("before", ["joining again", "a refused commit"])
async def test_a_member_that_nobody_knows_takes_no_place_back_from_a_namesake(
    before: str, member: StaticMember, coordinator: Coordinator, ends: list[BaseException]
) -> None:
    await member.ask(JOIN)
    coordinator.joined()
    coordinator.place, coordinator.commits = FENCED_INSTANCE_ID, UNKNOWN
    if before == "joining again":
        coordinator.reset()
    with pytest.raises(FencedError):
        await member.ask(JOIN if before == "joining again" else COMMIT)
    assert sum(isinstance(request, JoinGroupRequest) for request in coordinator.asked) == 1
    assert len(ends) == 1


async def test_a_member_whose_session_has_ended_joins_anew(
    member: StaticMember, coordinator: Coordinator, ends: list[BaseException]
) -> None:
    await member.ask(JOIN)
    coordinator.place = UNKNOWN
    assert (await member.ask(JOIN)).error_code == OK
    assert ends == []


async def test_a_member_that_never_heard_the_answer_to_its_join_is_no_namesake_of_its_own(
    member: StaticMember, coordinator: Coordinator, ends: list[BaseException]
) -> None:
    await member.ask(JOIN)
    coordinator.place = UNKNOWN
    coordinator.lost = True
    with pytest.raises(KafkaConnectionError):
        await member.ask(JOIN)
    # The broker has given the place to an id that nobody heard of.
    coordinator.place, coordinator.lost = FENCED_INSTANCE_ID, False
    assert (await member.ask(JOIN)).error_code == OK
    assert ends == []


@pytest.mark.parametrize("assigned", [[], ["clicks", "reviews"]])
async def test_a_place_for_the_same_topics_or_for_none_is_taken(
    assigned: list[str], member: StaticMember, coordinator: Coordinator
) -> None:
    coordinator.assigned = assigned
    assert (await member.ask(SYNC)).error_code == OK


@pytest.mark.parametrize("assigned", [["clicks"], ["clicks", "reviews", "taps"], ["taps"]])
async def test_a_place_for_other_topics_is_refused(
    assigned: list[str], member: StaticMember, coordinator: Coordinator, ends: list[BaseException]
) -> None:
    coordinator.assigned = assigned
    with pytest.raises(StateMismatchError, match=r"to be one for clicks, reviews, found one for .*leave w1`"):
        await member.ask(SYNC)
    assert len(ends) == 1


async def test_a_commit_that_is_taken_asks_nothing_more(member: StaticMember, coordinator: Coordinator) -> None:
    await member.ask(JOIN)
    coordinator.joined()
    await member.ask(COMMIT)
    assert coordinator.asked == [JOIN, COMMIT]


async def test_a_broker_before_static_members_is_refused(
    member: StaticMember, coordinator: Coordinator, ends: list[BaseException]
) -> None:
    coordinator.version = STATIC_JOIN - 1
    with pytest.raises(BrokerError, match=r"Apache Kafka 2\.3 or later.*unset WHEREWITHAL_GROUP_INSTANCE_ID"):
        await member.ask(JOIN)
    assert len(ends) == 1
