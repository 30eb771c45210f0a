"""The least rights of every command, on a node of Apache Kafka: with exactly these it works, without one it says so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from support.command import VIEW, here, run, write_lines
from support.encoders import HashEncoder
from support.runs import quick_settings, work
from support.servers.access import Access
from support.servers.secured_kafka import SecuredKafka

from streams.broker.rights import Operation, Right, command_line, joined, rights_of
from streams.broker.topics.provisioning import make_topics
from streams.cli.main import main
from streams.contract import INPUTS
from streams.exceptions import StreamsError
from streams.operating.repartitioning.target import settings_behind
from streams.settings import Settings, load_settings
from streams.worker.flow import Flow

LOGIN, PASSWORD = "least", "least-secret"
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with SecuredKafka(tmp_path_factory.mktemp("rights"), {LOGIN: PASSWORD}, open_by_default=False) as started:
        yield started


@pytest.fixture(scope="module")
def access(node: SecuredKafka) -> Access:
    return Access(node.servers, LOGIN)


@pytest.fixture
def settings(node: SecuredKafka, tmp_path: Path) -> Settings:
    """Settings of the login; topics are made, and each holds something, by the administrator."""
    administrator = quick_settings(tmp_path, broker=node.url, topic_prefix=f"{tmp_path.name[-6:]}-", partitions=1)
    asyncio.run(make_topics(administrator))
    return load_settings(**(administrator.model_dump(exclude_none=True) | node.login(LOGIN, PASSWORD)))


@pytest.fixture
def administrator(settings: Settings, node: SecuredKafka) -> Settings:
    return settings.model_copy(update={"broker": node.url, "broker_username": None, "broker_password": None})


def environment(settings: Settings, node: SecuredKafka, *, administrator: bool = False) -> dict[str, str | None]:
    chosen = {
        "WHEREWITHAL_BROKER": node.url if administrator else node.guarded_url,
        "WHEREWITHAL_TOPIC_PREFIX": settings.topic_prefix,
        "WHEREWITHAL_PARTITIONS": "1",
        "WHEREWITHAL_STATE_DIR": str(settings.state_dir),
        "WHEREWITHAL_SESSION_TIMEOUT_S": "3",
        "WHEREWITHAL_HEARTBEAT_INTERVAL_S": "0.3",
        "WHEREWITHAL_REQUEST_TIMEOUT_S": "10",
    }
    login = {"WHEREWITHAL_BROKER_USERNAME": LOGIN, "WHEREWITHAL_BROKER_PASSWORD": PASSWORD}
    return chosen if administrator else chosen | login


def without_each(rights: list[Right]) -> Iterator[tuple[Right, Operation, list[Right]]]:
    """Yield every single operation of some rights, and the rights that are left without it."""
    for right in rights:
        for operation in sorted(right.operations):
            left = right._replace(operations=right.operations - {operation})
            yield right, operation, [left if one == right else one for one in rights]


async def outcome(settings: Settings, administrator: Settings) -> str:
    """Run a worker over one click and a refused record of each input; return "works", or the line it ends with."""
    # A new user each time: a state is written, and not only published again.
    user = {"user_id": uuid4().hex}
    lines = [{"topic": "clicks", "value": VIEW | user}, *({"topic": topic, "value": user} for topic in INPUTS)]
    try:
        async with asyncio.timeout(PATIENCE_S), Flow(settings, encoder=HashEncoder()) as flow:
            flow_settings, flow.settings = flow.settings, administrator
            feeding = asyncio.create_task(work(flow, lines))
            ended = asyncio.create_task(flow.wait())
            await asyncio.wait([feeding, ended], return_when=asyncio.FIRST_COMPLETED)
            flow.settings = flow_settings
            if ended.done():
                feeding.cancel()
                ended.result()
            ended.cancel()
            feeding.result()
    except StreamsError as error:
        return str(error)
    return "works"


def test_a_worker(settings: Settings, administrator: Settings, access: Access) -> None:
    rights = rights_of("worker", settings)

    async def tried() -> None:
        await access.become(rights)
        assert await outcome(settings, administrator) == "works"
        for right, operation, left in without_each(rights):
            await access.become(left)
            said = await outcome(settings, administrator)
            assert right.name in said, f"without {operation} on {right.name}: {said}"

    asyncio.run(tried())


@pytest.mark.parametrize("command", ["scores", "redrive", "redrive --go"])
def test_a_command(
    command: str, settings: Settings, administrator: Settings, node: SecuredKafka, access: Access
) -> None:
    rights = rights_of(command, settings)

    def tried() -> tuple[int, str]:
        # A letter to redrive, and a score to show.
        assert asyncio.run(outcome(administrator, administrator)) == "works"
        code, _, said = here(*command.split(), **environment(settings, node))
        return code, said

    # The journal of redriven letters is made by the first run.
    assert asyncio.run(outcome(administrator, administrator)) == "works"
    code, _, said = here("redrive", "--go", **environment(settings, node, administrator=True))
    assert code == 0, said
    asyncio.run(access.become(rights))
    code, said = tried()
    assert code == 0, said
    for right, operation, left in without_each(rights):
        asyncio.run(access.become(left))
        code, said = tried()
        assert code == 1, f"without {operation} on {right.name} {command} works"
        assert right.name in said, f"without {operation} on {right.name}: {said}"


def test_an_erasure(settings: Settings, administrator: Settings, node: SecuredKafka, access: Access) -> None:
    rights = rights_of("erase", settings)

    async def tried() -> tuple[int, str]:
        words = ("erase", uuid4().hex, "--timeout", "20")
        code, _, said = await asyncio.to_thread(run, *words, **environment(settings, node))
        return code, said

    async def each() -> None:
        async with Flow(administrator, encoder=HashEncoder()):
            await access.become(rights)
            assert (await tried())[0] == 0
            for right, operation, left in without_each(rights):
                await access.become(left)
                code, said = await tried()
                assert code == 1, f"without {operation} on {right.name} it works"
                assert right.name in said, f"without {operation} on {right.name}: {said}"

    asyncio.run(each())


def test_a_repartition(settings: Settings, administrator: Settings, node: SecuredKafka, access: Access) -> None:
    prefix = f"{settings.topic_prefix}copy-"
    target = settings_behind(administrator, prefix, {}, 1)
    rights = rights_of("repartition", settings, target)
    asyncio.run(make_topics(target))
    assert asyncio.run(outcome(administrator, administrator)) == "works"

    def tried() -> tuple[int, str]:
        words = ("repartition", "--partitions", 1, "--to-prefix", prefix)
        code, _, said = here(*words, **environment(settings, node))
        return code, said

    asyncio.run(access.become(rights))
    code, said = tried()
    assert code == 0, said
    for right, operation, left in without_each(rights):
        asyncio.run(access.become(left))
        code, said = tried()
        assert code == 1, f"without {operation} on {right.name} it works"
        assert right.name in said, f"without {operation} on {right.name}: {said}"


def test_the_rights_of_a_repartition_are_printed_for_the_copy_that_is_named() -> None:
    code, out, err = here("acls", LOGIN, "--command", "repartition", "--to-prefix", "new-")
    assert code == 0, err
    assert "--operation READ --operation WRITE --topic new-purchasing-power" in out
    assert "--operation READ --topic purchasing-power" in out
    code, _, err = here("acls", LOGIN, "--command", "repartition")
    assert (code, err) == (
        2,
        "wherewithal acls: --to-prefix: expected that of the copy beside --command repartition, found none\n",
    )


def test_produce_needs_the_topics_that_it_sends_to(
    settings: Settings, node: SecuredKafka, access: Access, tmp_path: Path
) -> None:
    file = write_lines(tmp_path / "events.ndjson", [{"topic": "clicks", "value": VIEW}])
    of_clicks = [right for right in rights_of("produce", settings) if right.name.endswith("clicks")]
    for rights in (rights_of("produce", settings), of_clicks):
        asyncio.run(access.become(rights))
        code, _, said = here("produce", file, **environment(settings, node))
        assert code == 0, said
    for others in ([right for right in rights_of("produce", settings) if right not in of_clicks], []):
        asyncio.run(access.become(others))
        code, _, said = here("produce", file, **environment(settings, node))
        assert code == 1
        assert settings.topic_prefix in said


def test_the_printed_commands_give_what_a_command_needs(
    settings: Settings,
    node: SecuredKafka,
    access: Access,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asyncio.run(access.become([]))
    for name, value in environment(settings, node, administrator=True).items():
        monkeypatch.setenv(name, value or "")
    assert main(["acls", LOGIN, "--command", "scores"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    tool, *words = line.split()
    assert tool == "kafka-acls.sh"
    node.tool("org.apache.kafka.tools.AclCommand", *words)
    code, _, said = here("scores", **environment(settings, node))
    assert code == 0, said


def test_rights_on_one_resource_are_one_command() -> None:
    settings = load_settings(broker="kafka://a:9092")
    both = joined([*rights_of("worker", settings), *rights_of("produce", settings)])
    assert len({(right.resource, right.name) for right in both}) == len(both)
    (clicks,) = [right for right in both if right.name == "clicks"]
    assert command_line(clicks, "User:w", "a:9092") == (
        "kafka-acls.sh --bootstrap-server a:9092 --add --allow-principal User:w "
        "--operation READ --operation WRITE --topic clicks"
    )
    (topics, group) = rights_of("replay", settings)
    assert command_line(topics, "User:w", "a:9092").endswith("--topic replay- --resource-pattern-type prefixed")
    assert command_line(group, "User:w", "a:9092").endswith("--group replay- --resource-pattern-type prefixed")
