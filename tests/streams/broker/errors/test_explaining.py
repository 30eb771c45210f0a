"""Why a broker cannot be used is said in one line: login, certificate, right, size, or that it is away."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import orjson
import pytest
from aiokafka import TopicPartition, errors
from support.encoders import HashEncoder
from support.patience import PATIENCE_S
from support.runs import quick_settings
from support.servers.certificates import ELSEWHERE, SOUND, Authority
from support.servers.kafka import Kafka
from support.servers.secured_kafka import SecuredKafka
from support.shoppers import BASE

from streams.broker.connection import connection
from streams.broker.errors.client_failures import PAUSE_S, report_failures
from streams.broker.errors.explaining import WRITE, explained, explained_by_itself
from streams.broker.publisher import Publisher
from streams.broker.rights import worker_rights
from streams.broker.topics.log_ends import high_watermarks
from streams.broker.topics.provisioning import make_topics
from streams.cli.main import main
from streams.contract import CLICKS, DEAD_LETTERS, ERASURES, SCORES, changelog_name, topic_name
from streams.exceptions import BrokerError, BrokerRefusalError, StreamsError
from streams.operating.erasing.erasing import erase
from streams.records.events import Erasure
from streams.records.outgoing import Outgoing
from streams.settings import Settings, load_settings
from streams.worker.flow import Flow
from streams.worker.monitor import Monitor

PASSWORD = "worker-secret"


async def refusal(settings: Settings) -> str:
    """Return the line with which an attempt to use the broker ends."""
    with pytest.raises(BrokerError) as refused:
        await high_watermarks(settings, [TopicPartition("t", 0)])
    line = str(refused.value)
    assert "\n" not in line
    assert PASSWORD not in line
    return line


# --- away ----------------------------------------------------------------------------------------------------------


async def test_an_address_that_nobody_listens_on_or_that_is_none_is_named(unused_port: int) -> None:
    line = await refusal(load_settings(broker=f"kafka://127.0.0.1:{unused_port}", request_timeout_s=2.0))
    assert line.startswith(f"the broker at 127.0.0.1:{unused_port} refuses connections: check WHEREWITHAL_BROKER")
    line = await refusal(load_settings(broker="kafka://no.such.host.invalid:9092", request_timeout_s=2.0))
    assert line.startswith("the broker at no.such.host.invalid:9092 has no address: check the name")


async def test_a_server_that_says_nothing_is_named_with_how_long_it_was_waited_for(unused_port: int) -> None:
    silent = await asyncio.start_server(lambda _, writer: asyncio.sleep(0), "127.0.0.1", unused_port)
    async with silent:
        line = await refusal(load_settings(broker=f"kafka://127.0.0.1:{unused_port}", request_timeout_s=0.5))
    assert line.startswith(f"the broker at 127.0.0.1:{unused_port} did not answer within 0.5 s")


def test_a_command_that_meets_an_error_of_a_client_says_what_it_means(
    unused_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(arguments: object) -> int:
        raise errors.NodeNotReadyError("what a user wrote")

    monkeypatch.setenv("WHEREWITHAL_BROKER", f"kafka://127.0.0.1:{unused_port}")
    monkeypatch.setattr("streams.cli.looking.scores.run", run)
    assert main(["scores"]) == 1
    line = capsys.readouterr().err
    assert line.startswith(f"wherewithal scores: the broker at 127.0.0.1:{unused_port} refuses connections")
    assert "wrote" not in line


# --- certificates --------------------------------------------------------------------------------------------------


@asynccontextmanager
async def tls_server(context: ssl.SSLContext, port: int) -> AsyncIterator[str]:
    """Run a server whose handshake is all that matters; yield its URL."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port, ssl=context)
    async with server:
        yield f"kafka://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("names", "days", "trusted", "told"),
    [
        (SOUND, 30, False, "shows a certificate that is not trusted (unable to get local issuer certificate): set "),
        (SOUND, -1, True, "shows a certificate that is not valid now (certificate has expired): renew it there"),
        (ELSEWHERE, 30, True, "shows a certificate for another host (IP address mismatch"),
    ],
    ids=["untrusted", "expired", "another host"],
)
async def test_a_certificate_that_is_not_taken_is_told_apart_from_a_broker_that_is_away(
    names: str, days: int, trusted: bool, told: str, tmp_path: Path, unused_port: int
) -> None:
    authority = Authority(tmp_path / "ca")
    known = authority if trusted else Authority(tmp_path / "another")
    async with tls_server(authority.sign(names, days), unused_port) as url:
        settings = load_settings(broker=url, broker_tls=True, broker_ca_file=known.file, request_timeout_s=5.0)
        with pytest.raises(BrokerRefusalError):
            await make_topics(settings)
        assert f"the broker at 127.0.0.1:{unused_port} {told}" in await refusal(settings)


async def test_tls_that_the_broker_alone_speaks_names_the_setting(tmp_path: Path, unused_port: int) -> None:
    async with tls_server(Authority(tmp_path / "ca").sign(SOUND), unused_port) as url:
        line = await refusal(load_settings(broker=url, request_timeout_s=5.0))
    assert "it may expect clients with TLS (WHEREWITHAL_BROKER_TLS is false)" in line


async def test_an_alert_of_tls_says_that_the_broker_speaks_it(unused_port: int) -> None:
    def alert(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # As a Java broker answers what is no TLS: fatal, unexpected message.
        writer.write(bytes([0x15, 3, 3, 0, 2, 2, 10]))
        writer.close()

    async with await asyncio.start_server(alert, "127.0.0.1", unused_port):
        line = await refusal(load_settings(broker=f"kafka://127.0.0.1:{unused_port}", request_timeout_s=5.0))
    assert line.endswith("takes only clients with TLS: set WHEREWITHAL_BROKER_TLS=true")


# --- what an error says by itself ----------------------------------------------------------------------------------

OPTIONS: dict[str, Any] = {"bootstrap_servers": ["a:1"], "request_timeout_ms": 100}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (errors.TopicAuthorizationFailedError("clicks"), "denies whoever connects without a login the right WRITE on"),
        (errors.TopicAuthorizationFailedError({"b", "a"}), "the right WRITE on the topic 'a, b'"),
        (errors.GroupAuthorizationFailedError("g"), "the right READ on the group 'g'"),
        (errors.MessageSizeTooLargeError(), "takes no record of this size: raise its max.message.bytes"),
        (errors.UnknownTopicOrPartitionError("clicks"), "expected a topic 'clicks' at the broker at a:1, found none"),
        (errors.InvalidSessionTimeoutError(), "WHEREWITHAL_SESSION_TIMEOUT_S"),
        (errors.InconsistentGroupProtocolError(), "WHEREWITHAL_GROUP"),
        (errors.PolicyViolationError("what a user wrote"), "the broker at a:1 failed (PolicyViolationError)"),
        (errors.KafkaError("UnknownError('what a user wrote')"), "the broker at a:1 failed (UnknownError)"),
    ],
)  # fmt: skip
def test_an_error_of_the_broker_says_what_it_means_and_quotes_nothing(error: errors.KafkaError, told: str) -> None:
    said = explained_by_itself(error, OPTIONS, WRITE)
    assert said is not None
    assert told in str(said)
    assert "wrote" not in str(said)


def test_an_error_that_a_client_wrapped_says_what_it_wrapped() -> None:
    wrapped = errors.KafkaError("Unexpected error during coordination")
    wrapped.__cause__ = errors.GroupAuthorizationFailedError("g")
    assert "the right READ on the group 'g'" in str(explained_by_itself(wrapped, OPTIONS))


# --- Apache Kafka --------------------------------------------------------------------------------------------------


async def test_tls_that_the_broker_does_not_speak_names_the_setting(kafka: Kafka, tmp_path: Path) -> None:
    known = Authority(tmp_path / "ca").file
    line = await refusal(load_settings(broker=kafka.url, broker_tls=True, broker_ca_file=known, request_timeout_s=5.0))
    assert "it may expect clients without TLS (WHEREWITHAL_BROKER_TLS is true)" in line


# --- logins and rights, on Apache Kafka ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """One node for the tests of this module: each has topics and a login of its own."""
    logins = dict.fromkeys(("reader", "blind", "grouped", "writer", "exact", "eraser", "rotated"), PASSWORD)
    with SecuredKafka(tmp_path_factory.mktemp("secured"), logins) as started:
        yield started


async def prepared(secured: SecuredKafka, folder: Path, name: str) -> Settings:
    """Make the topics of a login as their administrator does, and return the settings of the login."""
    settings = quick_settings(folder, broker=secured.url, topic_prefix=f"{name}-", partitions=1)
    await make_topics(settings)
    return load_settings(**(settings.model_dump(exclude_none=True) | secured.login(name, PASSWORD)))


async def publish(settings: Settings, *users: str) -> None:
    values = [
        orjson.dumps({"event_id": user, "user_id": user, "item_id": "i", "action": "view", "timestamp": BASE})
        for user in users
    ]
    publisher = Publisher(settings)
    await publisher.start()
    try:
        records = [Outgoing(user.encode(), value) for user, value in zip(users, values, strict=True)]
        await (await publisher.send(topic_name(settings, CLICKS), 0, records)).acknowledged()
    finally:
        await publisher.stop()


async def end_of(settings: Settings, *users: str) -> str:
    """Run a worker until it ends, with clicks of these users for it; return the line it ends with."""
    async with asyncio.timeout(PATIENCE_S):
        try:
            async with Flow(settings, encoder=HashEncoder()) as flow:
                await publish(settings, *users)
                await flow.wait()
        except StreamsError as ended:
            return str(ended)
    raise AssertionError("the worker left as if it had been told to")


async def test_a_wrong_password_and_a_missing_login_are_named(secured: SecuredKafka) -> None:
    address = f"the broker at {secured.guarded_url.removeprefix('kafka://')}"
    with pytest.raises(BrokerRefusalError, match="refuses the login 'reader': check WHEREWITHAL_BROKER_USERNAME"):
        await make_topics(load_settings(**secured.login("reader", "wrong"), request_timeout_s=5.0))
    line = await refusal(load_settings(broker=secured.guarded_url, request_timeout_s=5.0))
    assert line.startswith(f"{address} closed the connection at the first request: it may ask for a login")
    line = await refusal(load_settings(**secured.login("reader", PASSWORD) | {"broker": secured.url}))
    assert "asks for no login: unset WHEREWITHAL_BROKER_USERNAME" in line


async def test_a_worker_that_may_not_use_its_group_ends_with_the_right_it_lacks(
    secured: SecuredKafka, tmp_path: Path
) -> None:
    settings = await prepared(secured, tmp_path, "grouped")
    group = settings.topic_prefix + settings.group
    secured.allow("somebody", "READ", "--group", group)
    line = await end_of(settings)
    assert f"denies the login 'grouped' the right READ on the group '{group}': grant it" in line


async def test_a_worker_that_may_not_read_its_input_ends_with_the_right_and_the_topic(
    secured: SecuredKafka, tmp_path: Path
) -> None:
    settings = await prepared(secured, tmp_path, "reader")
    clicks = topic_name(settings, CLICKS)
    secured.allow("reader", "DESCRIBE WRITE", "--topic", clicks)
    line = await end_of(settings, "u")
    assert f"denies the login 'reader' the right READ on the topic '{clicks}': grant it" in line


async def test_a_worker_that_may_not_see_a_topic_it_only_writes_to_is_not_told_to_read_it(
    secured: SecuredKafka, tmp_path: Path
) -> None:
    settings = await prepared(secured, tmp_path, "blind")
    letters = topic_name(settings, DEAD_LETTERS)
    secured.allow("somebody", "WRITE", "--topic", letters)
    line = await end_of(settings)
    assert f"denies the login 'blind' the right DESCRIBE on the topic '{letters}': grant it" in line


async def test_a_worker_that_may_not_write_its_scores_ends_with_the_right_and_the_topic(
    secured: SecuredKafka, tmp_path: Path
) -> None:
    settings = await prepared(secured, tmp_path, "writer")
    scores = topic_name(settings, SCORES)
    secured.allow("writer", "READ", "--topic", scores)
    line = await end_of(settings, "u")
    assert f"denies the login 'writer' the rights READ and WRITE on the topic '{scores}': grant them" in line


async def test_an_erasure_that_fails_once_it_is_published_says_that_it_will_be_obeyed(
    secured: SecuredKafka, tmp_path: Path
) -> None:
    settings = await prepared(secured, tmp_path, "eraser")
    group = settings.topic_prefix + settings.group
    secured.allow("somebody", "READ", "--group", group)
    with pytest.raises(BrokerRefusalError) as failed:
        await erase(settings, Erasure("u", BASE), timeout_s=PATIENCE_S)
    line, request = str(failed.value), TopicPartition(topic_name(settings, ERASURES), 0)
    assert f"denies the login 'eraser' the right READ on the group '{group}': grant it" in line
    assert f"the request was published ({request.topic}/0/0): it stays in the topic and will be obeyed" in line
    assert await high_watermarks(settings, [request]) == {request: 1}


async def test_the_rights_that_are_documented_are_all_that_a_worker_needs(
    secured: SecuredKafka, tmp_path: Path
) -> None:
    settings = await prepared(secured, tmp_path, "exact")
    by_right: dict[str, list[str]] = {}
    for topic, right in worker_rights(settings).items():
        by_right.setdefault(right.replace(" and ", " "), []).extend(["--topic", topic])
    for right, topics in by_right.items():
        secured.allow("exact", right, *topics)
    secured.allow("exact", "READ", "--group", settings.topic_prefix + settings.group)
    async with asyncio.timeout(PATIENCE_S), Flow(settings, encoder=HashEncoder()) as flow:
        administrator = settings.model_copy(
            update={"broker": secured.url, "broker_username": None, "broker_password": None}
        )
        await publish(administrator, "u")
        written = [TopicPartition(topic_name(settings, SCORES), 0), TopicPartition(changelog_name(settings), 0)]
        while 0 in (await high_watermarks(administrator, written)).values() and not flow.failed.done():
            await asyncio.sleep(0.1)
        assert flow.failed_with is None


async def test_a_password_that_changes_while_a_worker_runs_ends_it_with_the_login(
    secured: SecuredKafka, tmp_path: Path
) -> None:
    settings = await prepared(secured, tmp_path, "rotated")
    async with asyncio.timeout(2 * PATIENCE_S), Flow(settings, encoder=HashEncoder()) as flow:
        watching = asyncio.create_task(Monitor(flow, settings.stall_s).run())
        await asyncio.to_thread(secured.change_logins, {"rotated": "another"})
        with pytest.raises(BrokerRefusalError, match="refuses the login 'rotated'"):
            await flow.wait()
        watching.cancel()


async def test_a_session_that_the_broker_does_not_allow_ends_the_start_with_the_setting(
    kafka: Kafka, tmp_path: Path
) -> None:
    prefix = f"{uuid4().hex[:8]}-"
    settings = quick_settings(
        tmp_path, broker=kafka.url, topic_prefix=prefix, session_timeout_s=0.5, heartbeat_interval_s=0.1
    )
    await make_topics(settings)
    line = await end_of(settings)
    assert "WHEREWITHAL_SESSION_TIMEOUT_S: choose one between its group.min.session.timeout.ms" in line


async def test_silence_of_a_broker_that_takes_connections_is_no_refusal(kafka: Kafka) -> None:
    said = await explained(errors.NodeNotReadyError(), connection(load_settings(broker=kafka.url)))
    assert not isinstance(said, BrokerRefusalError)
    assert "takes connections, but answered nothing in time (NodeNotReadyError)" in str(said)


class Coordinator:
    """What a coordinator of aiokafka does with an error: it waits until a caller has taken it."""

    def __init__(self) -> None:
        self.rejoined = False
        self.pushed: list[BaseException] = []
        self._coordination_task = asyncio.get_running_loop().create_future()

    def _push_error_to_user(self, error: BaseException) -> asyncio.Future[None]:
        self.pushed.append(error)
        return asyncio.get_running_loop().create_future()

    def request_rejoin(self) -> None:
        self.rejoined = True


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (errors.KafkaError("Unexpected exception in heartbeat task: GroupLoadInProgressError()"), True),
        (errors.NodeNotReadyError(), True),
        (errors.GroupAuthorizationFailedError("g"), False),
        (errors.KafkaError("KeyError('what an assignor did not find')"), False),
    ],
)
async def test_a_coordinator_goes_on_after_what_passes_and_ends_the_worker_for_the_rest(
    error: errors.KafkaError, passing: bool
) -> None:
    async def start() -> None: ...

    fetcher = SimpleNamespace(error_future=asyncio.get_running_loop().create_future())
    consumer = SimpleNamespace(_coordinator=Coordinator(), _fetcher=fetcher, start=start)
    reported: list[BaseException] = []
    report_failures(consumer, reported.append)
    await consumer.start()
    waiting = asyncio.ensure_future(consumer._coordinator._push_error_to_user(error))
    ended, _ = await asyncio.wait({waiting}, timeout=3 * PAUSE_S)
    assert bool(ended) is consumer._coordinator.rejoined is passing
    assert reported == consumer._coordinator.pushed == ([] if passing else [error])
