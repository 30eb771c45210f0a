"""What a login may do with topics and the group, as the broker itself tells it: nothing is read, joined or written.

Kafka tells it since 2.3, in its answers about metadata and groups. aiokafka does not ask for it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from aiokafka.errors import (
    GroupAuthorizationFailedError,
    NoError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)
from aiokafka.protocol.admin import CreateTopicsRequest
from aiokafka.protocol.coordination import FindCoordinatorRequest

from streams.broker.rights import Operation
from streams.broker.rights_protocol import GroupRights, TopicRights
from streams.broker.topics.admin import Admin, Made

NONE: Final = frozenset[Operation]()

Told = frozenset[Operation] | None
"""The operations that a login may do; None if the broker does not tell."""

_BITS: Final = {
    Operation.READ: 3,
    Operation.WRITE: 4,
    Operation.CREATE: 5,
    Operation.DELETE: 6,
    Operation.DESCRIBE: 8,
    Operation.DESCRIBE_CONFIGS: 10,
}
"""The bit of each operation in Kafka's answers."""

_OF_GROUP: Final = 0
"""The kind of coordinator, in Kafka's protocol."""

_VALIDATION_MS: Final = 2500
"""Time that a node may take to judge topics: less than we wait for its answer."""


async def on_topics(admin: Admin, names: Collection[str]) -> dict[str, Told]:
    """Return what the login may do with each of these topics, whether it exists or not.

    Raises:
        BrokerError: no node answers.
    """
    told: dict[str, Told] = dict.fromkeys(names)
    for code, name, *rest in (await admin.ask(TopicRights(sorted(names)))).topics:
        # Who may do anything with a topic may also see it.
        told[name] = NONE if for_code(code) is TopicAuthorizationFailedError else _operations(rest[2:])
    return told


async def on_group(admin: Admin, group: str) -> Told:
    """Return what the login may do with a group, whether it exists or not; the group's coordinator is asked.

    Raises:
        BrokerError: no node answers, or the group has no coordinator within `request_timeout_s`.
    """
    found = await admin.ask(FindCoordinatorRequest(group, _OF_GROUP), lambda answer: [answer.error_code])
    if for_code(found.error_code) is GroupAuthorizationFailedError:
        return NONE
    answer = await admin.ask(GroupRights([group]), lambda answer: [code for code, *_ in answer.groups])
    ((code, *rest),) = answer.groups
    return NONE if for_code(code) is GroupAuthorizationFailedError else _operations(rest[5:])


async def refusals(admin: Admin, topics: Collection[Made]) -> dict[str, tuple[bool, str]]:
    """Return why the broker would not make some of these topics: whether a right is missing, and its words.

    Only a broker that tells rights may be asked: others take the question for the order to make the topics.

    Raises:
        BrokerError: no node answers.
    """
    wanted: list[tuple[Any, ...]] = [
        (topic.name, topic.partitions, topic.replication, [], [*topic.configs.items()]) for topic in topics
    ]
    request = CreateTopicsRequest(wanted, _VALIDATION_MS, True)
    answer = await admin.ask(request, lambda found: [code for _, code, *_ in found.topic_errors])
    found = {}
    for name, code, *message in answer.topic_errors:
        error = for_code(code)
        # Somebody else may have made it by now.
        if error not in (NoError, TopicAlreadyExistsError):
            words = " ".join(f"{error.__name__}: {message[0] or ''}".split()).rstrip(":")
            found[name] = error is TopicAuthorizationFailedError, words
    return found


def _operations(rest: Sequence[int]) -> Told:
    # An older version has no such number. What is negative stands for "not told".
    if not rest or rest[0] < 0:
        return None
    return frozenset(operation for operation, bit in _BITS.items() if rest[0] >> bit & 1)
