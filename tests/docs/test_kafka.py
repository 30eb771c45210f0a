"""The page on Kafka says of topics and rights what the code does."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterable

from support.pages import KAFKA, blocks, code, rows, section, text_of

from streams.broker.rights import COMMANDS, Operation, Resource, Right, rights_of
from streams.broker.topics.topic_settings import wanted
from streams.contract import journal_name
from streams.operating.repartitioning.target import settings_behind
from streams.settings import load_settings

SETTINGS = load_settings(broker="kafka://a:9092", rekey_sources="orders")
COPY = settings_behind(SETTINGS, "new-", {}, 24)

YOURS = {"retention.ms", "min.insync.replicas"}
"""Settings that the page has its reader choose."""

JOURNAL = {journal_name(SETTINGS): {"cleanup.policy": "compact"}}


def told(rights: Iterable[Right]) -> str:
    """Rights as the page tells them: by what may be done, in the order of the code."""
    names: dict[frozenset[Operation], list[str]] = {}
    for resource, name, operations, prefixed in rights:
        kind = "group " if resource is Resource.GROUP else ""
        pattern = f"{kind}names that begin with `{name}`" if prefixed else f"{kind}`{name}`"
        names.setdefault(operations, []).append(pattern)
    return "; ".join(
        f"{', '.join(f'`{operation}`' for operation in sorted(operations))} on {', '.join(on)}"
        for operations, on in names.items()
    )


def test_the_rights_are_those_of_the_code_for_every_command() -> None:
    shown = [cells for cells in rows(section(KAFKA, "Rights")) if cells[0] != "command"]
    assert shown == [[f"`{command}`", told(rights_of(command, SETTINGS, COPY))] for command in COMMANDS]


def test_the_settings_of_topics_are_those_that_the_program_gives_them() -> None:
    found: dict[str, dict[str, str]] = {}
    for topics, setting, why in rows(section(KAFKA, "Topics"))[1:]:
        name, value = code(setting)[0].split("=")
        assert why
        for topic in code(topics):
            assert found.setdefault(topic, {}).setdefault(name, value) == value
    assert without_yours(found) == without_yours(wanted(SETTINGS) | JOURNAL)


def test_the_commands_make_the_topics_that_the_program_would_make() -> None:
    (block,) = [block for block in blocks(text_of(KAFKA), "sh") if "make_topics" in block]
    stub = 'kafka-topics.sh() { printf "%s " "$@"; echo; }\n'
    done = subprocess.run(
        ["bash", "-euc", stub + block], env=os.environ | {"KAFKA": "a:9092"}, capture_output=True, text=True, check=True
    )
    made: dict[str, dict[str, str]] = {}
    partitions: dict[str, str] = {}
    for line in done.stdout.splitlines():
        words = shlex.split(line)
        assert "--create" in words
        topic, partitions[topic] = (words[words.index(option) + 1] for option in ("--topic", "--partitions"))
        configs = [words[at + 1] for at, word in enumerate(words) if word == "--config"]
        made[topic] = dict(config.split("=") for config in configs)
    assert without_yours(made) == without_yours(wanted(SETTINGS) | JOURNAL)
    shared = {number for topic, number in partitions.items() if topic not in JOURNAL}
    assert shared == {"12"}
    assert {partitions[topic] for topic in JOURNAL} == {"1"}


def without_yours(configs: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    return {
        topic: {name: value for name, value in config.items() if name not in YOURS} for topic, config in configs.items()
    }
