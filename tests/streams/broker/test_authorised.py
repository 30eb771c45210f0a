"""What brokers of other kinds and ages answer about rights. Apache Kafka itself is tried with `worker --check`."""

from __future__ import annotations

from typing import Any, cast

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError
from aiokafka.protocol.admin import DescribeGroupsRequest_v0, DescribeGroupsResponse_v0, DescribeGroupsResponse_v3
from aiokafka.protocol.coordination import FindCoordinatorResponse_v0
from aiokafka.protocol.metadata import MetadataRequest_v4

from streams.broker.authorised import Told, on_group, on_topics
from streams.broker.rights import Operation
from streams.broker.rights_protocol import GroupRights, TopicRights
from streams.broker.topics.admin import Admin

MEMBER = ("member", "client", "/127.0.0.1", b"\x00", b"\x01")
NOT_TOLD = -(2**31)


class Answering:
    """Gives one answer after the other, as they come from the wire."""

    def __init__(self, *answers: Any) -> None:
        self._answers = [type(answer).decode(answer.encode()) for answer in answers]

    async def ask(self, request: Any, codes: Any = None) -> Any:
        return self._answers.pop(0)


async def of_topic(code: int, number: int) -> Told:
    response = TopicRights(["a"]).prepare({3: (0, 12)}).RESPONSE_TYPE
    partition = (0, 0, 1, 0, [1], [1], [])
    answer = response(0, [(1, "host", 9092, None)], "c", 1, [(code, "a", False, [partition], number)], NOT_TOLD)
    return (await on_topics(cast(Admin, Answering(answer)), ["a"]))["a"]


async def of_group(code: int, *number: int) -> Told:
    kind = DescribeGroupsResponse_v3 if number else DescribeGroupsResponse_v0
    throttled = (0,) if number else ()
    answer = kind(*throttled, [(code, "g", "Stable", "consumer", "range", [MEMBER], *number)])
    return await on_group(cast(Admin, Answering(FindCoordinatorResponse_v0(0, 1, "host", 9092), answer)), "g")


async def test_operations_are_bits() -> None:
    assert await of_topic(0, 1 << 3 | 1 << 8) == {Operation.READ, Operation.DESCRIBE}
    assert await of_topic(0, 1 << 4 | 1 << 5 | 1 << 6 | 1 << 10) == {
        Operation.WRITE,
        Operation.CREATE,
        Operation.DELETE,
        Operation.DESCRIBE_CONFIGS,
    }
    assert await of_topic(0, 0) == set()
    assert await of_group(0, 1 << 3) == {Operation.READ}


async def test_who_may_not_see_it_may_do_nothing_with_it() -> None:
    assert await of_topic(TopicAuthorizationFailedError.errno, NOT_TOLD) == set()
    assert await of_group(GroupAuthorizationFailedError.errno, NOT_TOLD) == set()
    denied = FindCoordinatorResponse_v0(GroupAuthorizationFailedError.errno, -1, "", -1)
    assert await on_group(cast(Admin, Answering(denied)), "g") == set()


@pytest.mark.parametrize("number", [NOT_TOLD, -1])
async def test_what_is_not_told_is_neither_given_nor_denied(number: int) -> None:
    assert await of_topic(0, number) is None
    assert await of_group(0, number) is None


async def test_an_older_broker_is_asked_what_it_understands_and_tells_nothing() -> None:
    assert isinstance(TopicRights(["a"]).prepare({3: (0, 7)}), MetadataRequest_v4)
    assert isinstance(GroupRights(["g"]).prepare({15: (0, 2)}), DescribeGroupsRequest_v0)
    assert await of_group(0) is None
