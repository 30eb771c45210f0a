"""The rights of a worker's login on topics and group, each by itself, as the broker tells them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from streams.broker.authorised import Told, on_group, on_topics, refusals
from streams.broker.rights import Operation, Resource, Right, command_line, principal_of, rights_of
from streams.broker.tools import servers_of
from streams.broker.topics.admin import Admin, Made
from streams.exceptions import BrokerError
from streams.operating.checking.finding import Finding
from streams.settings import Settings

_SILENT: Final = "this broker does not tell what a login may do (Kafka does since 2.3)"


async def rights_findings(settings: Settings, admin: Admin, to_make: Collection[Made]) -> list[Finding]:
    """Return a line for each right that a worker needs; nothing is read, joined, written or made.

    Args:
        settings: of the worker.
        admin: of its cluster.
        to_make: the topics that the worker would have to make.

    Raises:
        BrokerError: no node answers.
    """
    rights = rights_of("worker", settings)
    of_topics = [right for right in rights if right.resource is Resource.TOPIC]
    of_groups = [right for right in rights if right.resource is Resource.GROUP]
    told = await on_topics(admin, [right.name for right in of_topics])
    found = [*_each(settings, of_topics, told)]
    for right in of_groups:
        try:
            found += _each(settings, [right], {right.name: await on_group(admin, right.name)})
        except BrokerError as error:
            found.append(Finding(f"group {right.name}", False, str(error)))
    if not any(finding.told for finding in found):
        return [Finding("rights", True, _SILENT, told=False)]
    askable = [topic for topic in to_make if told[topic.name] is not None]
    return [*found, *_of_missing(settings, askable, await refusals(admin, askable) if askable else {})]


def _each(settings: Settings, rights: Iterable[Right], told: Mapping[str, Told]) -> Iterator[Finding]:
    for right in rights:
        given = told[right.name]
        for operation in sorted(right.operations):
            what = f"right {operation} on {right.resource} {right.name}"
            if given is None:
                yield Finding(what, True, _SILENT, told=False)
            elif operation in given:
                yield Finding(what, True, "given")
            else:
                yield Finding(what, False, _advice(settings, right._replace(operations=frozenset({operation}))))


def _of_missing(
    settings: Settings, topics: Iterable[Made], refused: Mapping[str, tuple[bool, str]]
) -> Iterator[Finding]:
    for topic in topics:
        denied, words = refused.get(topic.name, (False, ""))
        right = Right(Resource.TOPIC, topic.name, frozenset({Operation.CREATE}))
        advice = f"{_advice(settings, right)}; or have somebody make it who may: wherewithal topics --go"
        yield Finding(f"right CREATE on topic {topic.name}", not denied, advice if denied else "given")
        if words and not denied:
            said = f"expected a topic that the broker would make, found that it would not ({words}): mend that"
            yield Finding(f"making topic {topic.name}", False, said)


def _advice(settings: Settings, right: Right) -> str:
    return f"expected it, found none: give it with {command_line(right, principal_of(settings), servers_of(settings))}"
