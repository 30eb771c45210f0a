"""The least rights of every command, on a node of Apache Kafka: with exactly these it works, without one it says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from support.command import VIEW, forked, here, run, write_lines
from support.encoders import HashEncoder
from support.patience import PATIENCE_S
from support.runs import work
from support.servers.access import Access
from support.servers.least import LOGIN, administrators, environment, least_settings, without_each
from support.servers.secured_kafka import SecuredKafka
from support.shop_topics import behind, publish

from streams.broker.rights import Right, command_line, joined, principal_of, rights_of
from streams.broker.topics.provisioning import make_topics
from streams.cli.main import main
from streams.contract import INPUTS
from streams.exceptions import StreamsError
from streams.operating.repartitioning.target import settings_behind
from streams.settings import Settings, load_settings
from streams.worker.flow import Flow

NO_PLACE = (
    "expected a place of w1 in the group '{}', found none: it was given up, its session has ended, or the worker runs "
    "with another id or group"
)


@pytest.fixture
def settings(node: SecuredKafka, tmp_path: Path) -> Settings:
    return least_settings(node, tmp_path)


@pytest.fixture
def administrator(settings: Settings, node: SecuredKafka) -> Settings:
    return administrators(settings, node)


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


def assert_each_is_needed(rights: list[Right], access: Access, tried: Callable[[], tuple[int, str]]) -> None:
    """Assert that a command, which returns its exit code and what it said, works with these rights and no fewer."""
    asyncio.run(access.become(rights))
    code, said = tried()
    assert code == 0, said
    for right, operation, left in without_each(rights):
        asyncio.run(access.become(left))
        code, said = tried()
        assert code == 1, f"without {operation} on {right.name} it works"
        assert right.name in said, f"without {operation} on {right.name}: {said}"


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
    assert_each_is_needed(rights, access, tried)


def test_publishing_forecasts(
    settings: Settings, administrator: Settings, node: SecuredKafka, access: Access, tmp_path: Path
) -> None:
    asyncio.run(make_topics(administrator.model_copy(update={"items": True})))
    file = write_lines(tmp_path / "events.ndjson", [{"topic": "clicks", "value": VIEW}])

    def tried() -> tuple[int, str]:
        words = ("demand", file, "--as-of", str(VIEW["timestamp"] + 86_400_000), "--publish")
        code, _, said = here(*words, **environment(settings, node), WHEREWITHAL_ITEMS="true")
        return code, said

    assert_each_is_needed(rights_of("demand --publish", settings), access, tried)


def test_an_erasure(settings: Settings, administrator: Settings, node: SecuredKafka, access: Access) -> None:
    rights = rights_of("erase", settings)

    async def tried() -> tuple[int, str]:
        words = ("erase", uuid4().hex, "--timeout", PATIENCE_S)
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


def test_leaving(settings: Settings, node: SecuredKafka, access: Access) -> None:
    def tried() -> tuple[int, str]:
        code, _, said = here("leave", "w1", **environment(settings, node))
        return code, said

    (right,) = rights_of("leave", settings)
    asyncio.run(access.become([right]))
    # Nobody has that place: the broker had to look.
    assert tried() == (1, f"wherewithal leave: {NO_PLACE.format(right.name)}\n")
    asyncio.run(access.become([]))
    code, said = tried()
    assert code == 1
    assert f"READ on the group {right.name!r}" in said


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

    assert_each_is_needed(rights, access, tried)


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


def test_where_capacity_is_estimated_its_topic_needs_what_that_of_scores_does() -> None:
    for command in ("worker", "erase", "topics"):
        words = ("acls", LOGIN, "--command", command)
        _, without, _ = here(*words)
        code, out, err = here(*words, WHEREWITHAL_CAPACITY_ARTEFACT="some/folder")
        assert code == 0, err
        added = set(out.splitlines()) - set(without.splitlines())
        (score,) = [line for line in without.splitlines() if line.endswith("--topic purchasing-power")]
        assert added == {score.replace("purchasing-power", "purchasing-capacity")}


def test_the_rights_of_rekey_are_printed_for_its_sources_alone() -> None:
    code, out, err = here("acls", LOGIN, "--command", "rekey", WHEREWITHAL_REKEY_SOURCES="shop.orders")
    assert code == 0, err
    assert "--operation READ --topic shop.orders" in out
    code, out, err = here("acls", LOGIN, "--command", "rekey")
    assert (code, out, err) == (
        2,
        "",
        "wherewithal acls: WHEREWITHAL_REKEY_SOURCES: expected the topics that rekey reads beside --command rekey, "
        "found none\n",
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


def test_rekeying(
    settings: Settings, administrator: Settings, node: SecuredKafka, access: Access, tmp_path: Path
) -> None:
    source = f"{settings.topic_prefix}shop"
    rights = rights_of("rekey", settings.model_copy(update={"rekey_sources": source}))

    async def outcome_of_rekeying() -> str:
        """Re-key a record for each input, and one that is refused; return "works", or the line it ends with."""
        common = {"user_id": uuid4().hex, "timestamp": VIEW["timestamp"]}
        texts = {"searches": {"event_id": "1", "query": "q"}, "erasures": {}, "clicks": VIEW | common}
        texts["reviews"] = {"event_id": "1", "item_id": "i", "text": "t", "rating": 5}
        lines = [orjson.dumps({"topic": topic, "value": value | common}) for topic, value in texts.items()]
        await publish(administrator, source, [*lines, b"refused"], partitions=1)
        told = tmp_path / "told"
        process = forked("rekey", source, errors=told, WHEREWITHAL_METRICS_PORT="0", **environment(settings, node))
        try:
            async with asyncio.timeout(PATIENCE_S):
                while process.poll() is None:
                    if not await behind(administrator, source):
                        return "works"
            return told.read_text()
        finally:
            process.kill()
            process.wait()

    async def each() -> None:
        await publish(administrator, source, [], partitions=1)
        await access.become(rights)
        assert await outcome_of_rekeying() == "works"
        for right, operation, left in without_each(rights):
            await access.become(left)
            said = await outcome_of_rekeying()
            assert right.name in said.splitlines()[-1], f"without {operation} on {right.name}: {said}"

    asyncio.run(each())


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


@pytest.mark.parametrize(
    ("login", "principal"),
    [
        ({"broker_username": "w", "broker_password": "p"}, "User:w"),
        ({}, "User:ANONYMOUS"),
        ({"broker_tls": True}, "User:ANONYMOUS"),
        # A certificate's name is a whole path of names, and a broker may shorten it.
        ({"broker_tls": True, "broker_certificate_file": "w.pem"}, "User:NAME"),
        ({"broker_tls": True, "broker_aws_region": "eu-west-1"}, "User:NAME"),
    ],
    ids=["password", "nobody", "tls", "certificate", "token"],
)
def test_the_principal_is_named_as_far_as_it_is_known(login: dict[str, Any], principal: str) -> None:
    assert principal_of(load_settings(broker="kafka://a:9092", **login)) == principal
