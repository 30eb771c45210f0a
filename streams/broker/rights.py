"""The rights that each command needs of the broker, in the terms of its access control lists, and no more."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from streams.broker.tools import tool_line
from streams.contract import (
    DEAD_LETTERS,
    ERASURES,
    FACTS,
    INPUTS,
    ITEM_SIGNALS,
    SCORES,
    changelog_name,
    items_changelog_name,
    journal_name,
    published,
    rekey_group_name,
    topic_name,
)
from streams.login_settings import check_login
from streams.name_settings import group_name, items_group_name
from streams.settings import Settings


class Operation(StrEnum):
    """What may be done with a resource, as `kafka-acls.sh` takes it. READ and WRITE include DESCRIBE."""

    READ = "READ"
    WRITE = "WRITE"
    CREATE = "CREATE"
    DELETE = "DELETE"
    DESCRIBE = "DESCRIBE"
    DESCRIBE_CONFIGS = "DescribeConfigs"


class Resource(StrEnum):
    """What rights are given on, by the options of `kafka-acls.sh`."""

    TOPIC = "topic"
    GROUP = "group"


class Right(NamedTuple):
    """Operations on one resource.

    Attributes:
        name: of the topic or group on the broker; with `prefixed`, what the names begin with.
    """

    resource: Resource
    name: str
    operations: frozenset[Operation]
    prefixed: bool = False


REKEY: Final = "rekey"
REPARTITION: Final = "repartition"

COMMANDS: Final = (
    "worker",
    "produce",
    "demand --publish",
    "scores",
    "items",
    "items --forget",
    "erase",
    "redrive",
    "redrive --go",
    "topics",
    "topics --go",
    "leave",
    REKEY,
    REPARTITION,
    "replay",
)
"""The commands that use a broker."""

REPLAYS: Final = "replay-"
"""What the names of a replay's own topics and group begin with, after the prefix."""


def rights_of(command: str, settings: Settings, target: Settings | None = None) -> list[Right]:
    """Return the rights that a command needs once its topics exist, one entry for each resource.

    Args:
        command: one of `COMMANDS`.
        settings: name the topics and the group.
        target: name those of the copy that `repartition` makes; None for those rights that have nothing to do with it.
    """
    read, write, both = {Operation.READ}, {Operation.WRITE}, {Operation.READ, Operation.WRITE}
    inputs = [topic_name(settings, topic) for topic in INPUTS]
    outputs = [topic_name(settings, topic) for topic in published(settings)]
    letters = topic_name(settings, DEAD_LETTERS)
    group = Right(Resource.GROUP, group_name(settings), frozenset(read))
    match command:
        case "worker":
            return _of_worker(settings)
        case "produce" | "demand --publish":
            return _topics([*inputs, letters] if command == "produce" else [topic_name(settings, FACTS)], write)
        case "scores" | "items":
            return _topics([topic_name(settings, SCORES if command == "scores" else ITEM_SIGNALS)], read)
        case "items --forget":
            return _of_forgetting(settings)
        case "erase":
            described = Right(Resource.GROUP, group.name, frozenset({Operation.DESCRIBE}))
            return [
                *_topics([topic_name(settings, ERASURES)], write),
                *_topics([*outputs, changelog_name(settings)], read),
                described,
            ]
        case "redrive":
            return [*_topics(inputs, {Operation.DESCRIBE}), *_topics([letters, journal_name(settings)], read)]
        case "redrive --go":
            return [*_topics([*inputs, journal_name(settings)], both), *_topics([letters], read)]
        case "topics" | "topics --go":
            looking = {Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS}
            names = [*inputs, letters, *outputs, changelog_name(settings), journal_name(settings), *_items(settings)]
            return _topics(names, looking if command == "topics" else looking | {Operation.CREATE})
        case "leave":
            return [group]
        case "rekey":
            return [
                *_topics([source.topic for source in settings.rekey_topics], read),
                *_topics([*inputs, letters], write),
                Right(Resource.GROUP, rekey_group_name(settings), frozenset(read)),
            ]
        case "repartition":
            return [*_of_source(settings), *(() if target is None else _of_copy(target))]
        case _:
            everything = frozenset({*both, Operation.CREATE, Operation.DELETE})
            begin = settings.topic_prefix + REPLAYS
            return [
                Right(Resource.TOPIC, begin, everything, prefixed=True),
                Right(Resource.GROUP, begin, frozenset(read), prefixed=True),
            ]


def _items(settings: Settings) -> list[str]:
    """Return the names of the topics of items, of a deployment that keeps any."""
    names = [topic_name(settings, FACTS), topic_name(settings, ITEM_SIGNALS), items_changelog_name(settings)]
    return names if settings.items else []


def _of_worker(settings: Settings) -> list[Right]:
    """Return the rights that the stages of a worker need."""
    of_users = _of_users(settings) if settings.runs_users else []
    return joined([*of_users, *(_of_items(settings) if settings.runs_items else ())])


def _of_forgetting(settings: Settings) -> list[Right]:
    """Return the rights that `items --forget` needs."""
    return [
        *_topics([topic_name(settings, FACTS)], {Operation.WRITE}),
        *_topics([topic_name(settings, ITEM_SIGNALS), items_changelog_name(settings)], {Operation.READ}),
        Right(Resource.GROUP, items_group_name(settings), frozenset({Operation.DESCRIBE})),
    ]


def _of_source(settings: Settings) -> list[Right]:
    """Return the rights that `repartition` needs of what it copies."""
    inputs, outputs = ([topic_name(settings, topic) for topic in topics] for topics in (INPUTS, published(settings)))
    names = [*inputs, changelog_name(settings), *outputs]
    groups = [group_name(settings), *([items_group_name(settings)] if settings.items else ())]
    return [
        *_topics([*names, *_items(settings)], {Operation.READ}),
        *(Right(Resource.GROUP, name, frozenset({Operation.READ})) for name in groups),
    ]


def _of_users(settings: Settings) -> list[Right]:
    """Return the rights that the stage of users needs."""
    read, write, both = {Operation.READ}, {Operation.WRITE}, {Operation.READ, Operation.WRITE}
    outputs = [topic_name(settings, topic) for topic in published(settings)]
    facts = [topic_name(settings, FACTS)] if settings.items else []
    return [
        *_topics([topic_name(settings, topic) for topic in INPUTS], read),
        *_topics([changelog_name(settings), *outputs], both),
        *_topics([topic_name(settings, DEAD_LETTERS), *facts], write),
        Right(Resource.GROUP, group_name(settings), frozenset(read)),
    ]


def _of_items(settings: Settings) -> list[Right]:
    """Return the rights that the stage of items needs."""
    read, write, both = {Operation.READ}, {Operation.WRITE}, {Operation.READ, Operation.WRITE}
    return [
        *_topics([topic_name(settings, FACTS)], read),
        *_topics([items_changelog_name(settings), topic_name(settings, ITEM_SIGNALS)], both),
        *_topics([topic_name(settings, DEAD_LETTERS)], write),
        Right(Resource.GROUP, items_group_name(settings), frozenset(read)),
    ]


def _of_copy(target: Settings) -> list[Right]:
    """Return the rights that `repartition` needs of what it makes."""
    tables = [changelog_name(target), *(topic_name(target, topic) for topic in published(target))]
    others = [topic_name(target, topic) for topic in (*INPUTS, DEAD_LETTERS)]
    groups = [group_name(target)]
    if target.items:
        tables += [items_changelog_name(target), topic_name(target, ITEM_SIGNALS)]
        others.append(topic_name(target, FACTS))
        groups.append(items_group_name(target))
    return [
        *_topics(tables, {Operation.READ, Operation.WRITE}),
        *_topics(others, {Operation.DESCRIBE}),
        *(Right(Resource.GROUP, name, frozenset({Operation.DESCRIBE})) for name in groups),
    ]


def joined(rights: Iterable[Right]) -> list[Right]:
    """Return rights with one entry for each resource, in the order of their first one."""
    found: dict[tuple[Resource, str, bool], frozenset[Operation]] = {}
    for resource, name, operations, prefixed in rights:
        key = resource, name, prefixed
        found[key] = found.get(key, frozenset()) | operations
    return [Right(resource, name, operations, prefixed) for (resource, name, prefixed), operations in found.items()]


def worker_rights(settings: Settings) -> dict[str, str]:
    """Return the rights that a worker needs of each topic, in words, by the topic's name on the broker."""
    return rights_in_words("worker", settings)


def rights_in_words(command: str, settings: Settings) -> dict[str, str]:
    """Return the rights that a command needs of each topic, in words, by the topic's name on the broker."""
    return {
        right.name: " and ".join(sorted(right.operations))
        for right in rights_of(command, settings)
        if right.resource is Resource.TOPIC
    }


def principal_of(settings: Settings) -> str:
    """Return the principal that the login of these settings has on a broker that maps none of them to another.

    Who comes by a certificate or a token has a name that only the broker knows: it stands as `User:NAME`.
    """
    if settings.broker_username is not None:
        return f"User:{settings.broker_username}"
    mechanism, _ = check_login(settings)
    return "User:ANONYMOUS" if mechanism is None and settings.broker_certificate_file is None else "User:NAME"


def command_line(right: Right, principal: str, servers: str) -> str:
    """Return the command of Kafka's own tools that gives a principal a right."""
    pattern = ["--resource-pattern-type", "prefixed"] if right.prefixed else []
    operations = [word for operation in sorted(right.operations) for word in ("--operation", operation.value)]
    words = ["--add", "--allow-principal", principal, *operations, f"--{right.resource.value}", right.name, *pattern]
    return tool_line("kafka-acls.sh", servers, *words)


def _topics(names: Iterable[str], operations: set[Operation]) -> list[Right]:
    return [Right(Resource.TOPIC, name, frozenset(operations)) for name in names]
