"""Administrative requests: asked of one node after the other until one answers, for a bounded time.

aiokafka's own admin client asks a random node, or the supposed controller, and gives up if that node is down.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    LeaderNotAvailableError,
    NoBrokersAvailable,
    NoError,
    NotControllerError,
    NotCoordinatorForGroupError,
    RequestTimedOutError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.admin import CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest
from aiokafka.protocol.metadata import MetadataRequest

from streams.broker.connection import new_client, reaching
from streams.broker.errors.explaining import DESCRIBE
from streams.broker.login.connecting import Patience
from streams.exceptions import BrokerError
from streams.settings import Settings

ATTEMPT_S: Final = 5.0
"""Seconds that one node may take to answer before another one is asked."""

_RETRY_S: Final = 0.1
_NO_LEADER: Final = -1
_TOPIC: Final = 2
_ANY_NODES: Final[Sequence[int]] = ()

_PASSING: Final = (
    NotControllerError,
    RequestTimedOutError,
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)
"""Errors of one node that another node, or the same one a little later, may not return."""


class Topic(NamedTuple):
    """A topic as a node describes it.

    Attributes:
        partitions: number of partitions.
        leaderless: number of partitions without a leader.
        replicas: the least number of replicas of a partition.
    """

    partitions: int
    leaderless: int
    replicas: int


class Made(NamedTuple):
    """A topic to be made.

    Attributes:
        partitions: number of partitions.
        replication: replicas of each partition; -1 for the broker's own default.
        configs: its settings, by name.
    """

    name: str
    partitions: int
    replication: int
    configs: Mapping[str, str]


class Admin:
    """Asks the nodes of a cluster, as an asynchronous context manager.

    Args:
        settings: of the cluster; a request may take `request_timeout_s`, all nodes together.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: AIOKafkaClient

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            BrokerError: no node can be reached.
        """
        settings = self._settings
        patience = Patience.of(min(ATTEMPT_S, settings.request_timeout_s), settings.connect_timeout_s)
        async with reaching(settings):
            self._client = await new_client(settings, request_timeout_ms=patience)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def cluster(self) -> tuple[str, int]:
        """Return the cluster's id (empty if it has none) and the number of running nodes.

        Raises:
            BrokerError: no node answers.
        """
        answer = await self.ask(MetadataRequest([], allow_auto_topic_creation=False))
        return answer.cluster_id or "", len(answer.brokers)

    async def topics(self, names: Collection[str]) -> dict[str, Topic]:
        """Return those of these topics that exist; asking makes none.

        Raises:
            BrokerError: no node answers, or the login may not see one of them.
        """
        answer = await self.ask(MetadataRequest(sorted(names), allow_auto_topic_creation=False))
        async with reaching(self._settings, DESCRIBE):
            return _topics(answer)

    async def seen(self, names: Collection[str]) -> set[str]:
        """Return those of these topics that the login may see, whether they exist or not.

        Raises:
            BrokerError: no node answers.
        """
        answer = await self.ask(MetadataRequest(sorted(names), allow_auto_topic_creation=False))
        return {name for code, name, *_ in answer.topics if for_code(code) is not TopicAuthorizationFailedError}

    async def led(self, names: Collection[str]) -> dict[str, Topic]:
        """Return these topics once every node that answers has a leader for every partition of each.

        Raises:
            BrokerError: no node answers, or it took longer than `request_timeout_s`.
        """
        patience_s = self._settings.request_timeout_s
        until = time.monotonic() + patience_s
        request = MetadataRequest(sorted(names), allow_auto_topic_creation=False)
        while True:
            answers = await asyncio.gather(*(self._answer(node, request) for node in self._nodes()))
            async with reaching(self._settings, DESCRIBE):
                views = [_topics(answer) for answer in answers if answer is not None]
            waiting = {name for name in names if not views or any(not _is_led(name, view) for view in views)}
            # A consumer may ask a node that has not yet heard of the topics that another node made.
            if not waiting and all(view == views[0] for view in views):
                return views[0]
            if time.monotonic() > until:
                listed = ", ".join(sorted(waiting or names))
                raise BrokerError(
                    f"expected every partition of {listed} to have a leader within {patience_s:g} s, found some "
                    "without: check that enough nodes of the broker run, and its log"
                )
            await asyncio.sleep(_RETRY_S)
            await self._client.force_metadata_update()

    async def _answer(self, node: int, request: Any) -> Any:
        try:
            return await self._client.send(node, request)
        except KafkaError as error:
            if not error.retriable:
                raise
            return None

    async def create(self, wanted: Sequence[Made]) -> None:
        """Make topics; a topic that exists is left unchanged.

        Raises:
            BrokerError: the broker refuses a topic, for the reason in the message, or no node answers.
        """
        requests = [
            (topic.name, topic.partitions, topic.replication, _ANY_NODES, [*topic.configs.items()]) for topic in wanted
        ]
        # A node waits no longer for the topics than we wait for its answer.
        request = CreateTopicsRequest(requests, int(ATTEMPT_S * 500), False)
        answer = await self.ask(request, _codes_of_topics)
        async with reaching(self._settings, "CREATE"):
            for name, code, *message in answer.topic_errors:
                error = for_code(code)
                if error is TopicAuthorizationFailedError:
                    raise error(name)
                if error not in (NoError, TopicAlreadyExistsError):
                    reason = f"{error.__name__}: {message[0]}" if message and message[0] else error.__name__
                    raise BrokerError(
                        f"the broker does not make the topic {name!r} ({' '.join(reason.split())}): mend that, or have "
                        "it made by somebody else, with the command that wherewithal topics prints"
                    )

    async def delete(self, names: Collection[str]) -> None:
        """Delete topics; a topic that does not exist is passed over.

        Raises:
            BrokerError: the broker refuses one, or no node answers.
        """
        request = DeleteTopicsRequest(sorted(names), int(ATTEMPT_S * 500))
        answer = await self.ask(request, lambda found: [code for _, code in found.topic_error_codes])
        async with reaching(self._settings, "DELETE"):
            for name, code in answer.topic_error_codes:
                if for_code(code) not in (NoError, UnknownTopicOrPartitionError):
                    raise for_code(code)(name)

    async def configs(self, names: Collection[str]) -> dict[str, dict[str, str]]:
        """Return the settings of topics by name. The broker may refuse to tell some or all of them.

        Raises:
            BrokerError: no node answers.
        """
        answer = await self.ask(DescribeConfigsRequest([(_TOPIC, name, None) for name in sorted(names)], False))
        return {
            name: {entry[0]: entry[1] for entry in entries if entry[1] is not None}
            for code, _, _, name, entries in answer.resources
            if for_code(code) is NoError
        }

    async def ask(self, request: Any, codes: Callable[[Any], Iterable[int]] = lambda _: ()) -> Any:
        """Ask the nodes in turn, again and again, until one answers.

        Args:
            request: one of `aiokafka.protocol`.
            codes: takes the error codes from an answer.

        Raises:
            BrokerError: no node answers within `request_timeout_s`.
        """
        until = time.monotonic() + self._settings.request_timeout_s
        async with reaching(self._settings):
            while True:
                trouble: KafkaError = NoBrokersAvailable()
                for node in self._nodes():
                    try:
                        answer = await self._client.send(node, request)
                    except KafkaError as error:
                        if not error.retriable:
                            raise
                        trouble = error
                        continue
                    passing = [for_code(code) for code in codes(answer) if for_code(code) in _PASSING]
                    if not passing:
                        return answer
                    trouble = passing[0]()
                if time.monotonic() > until:
                    raise trouble
                await asyncio.sleep(_RETRY_S)
                await self._client.force_metadata_update()

    def _nodes(self) -> list[int]:
        """Return the known nodes, the controller first: in older clusters only the controller takes some requests."""
        cluster = self._client.cluster
        nodes = sorted(node.nodeId for node in cluster.brokers())
        controller = None if cluster.controller is None else cluster.controller.nodeId
        return sorted(nodes, key=lambda node: node != controller)


def _codes_of_topics(answer: Any) -> list[int]:
    return [code for _, code, *_ in answer.topic_errors]


def _topics(answer: Any) -> dict[str, Topic]:
    found = {}
    for code, name, _, partitions in answer.topics:
        error = for_code(code)
        if error not in (NoError, UnknownTopicOrPartitionError, LeaderNotAvailableError):
            raise error(name)
        if error is not UnknownTopicOrPartitionError:
            leaderless = sum(leader == _NO_LEADER for _, _, leader, *_ in partitions)
            replicas = min((len(replicas) for _, _, _, replicas, *_ in partitions), default=0)
            found[name] = Topic(len(partitions), leaderless, replicas)
    return found


def _is_led(name: str, view: Mapping[str, Topic]) -> bool:
    topic = view.get(name)
    return topic is not None and topic.partitions > 0 and topic.leaderless == 0
