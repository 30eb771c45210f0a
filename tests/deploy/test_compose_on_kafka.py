"""The Kafka of the compose files, as nodes of Apache Kafka made of the same variables: the workers log in there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import VIEW, here, write_lines
from support.servers.compose import ONE_NODE, THREE_NODES, composed
from support.servers.composed_kafka import ComposedKafka

PASSWORDS = {"admin": "of-the-admin", "wherewithal": "of-the-workers"}
FILES = {"one node": ONE_NODE, "three nodes": THREE_NODES}


@pytest.fixture(scope="module", params=FILES)
def kafka(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposedKafka]:
    document = composed(FILES[request.param])
    with ComposedKafka(tmp_path_factory.mktemp("compose"), document, PASSWORDS) as started:
        yield started


@pytest.fixture
def worker(kafka: ComposedKafka, tmp_path: Path) -> dict[str, str | None]:
    """The variables of a worker, with what a container has in folders of its own, and no Redis."""
    given = kafka.document["services"]["worker-1"]["environment"]
    own = {"WHEREWITHAL_STATE_DIR": str(tmp_path / "state"), "WHEREWITHAL_METRICS_PORT": "0"}
    return {name: kafka.here(value) for name, value in given.items() if "ONLINE" not in name} | own


def test_every_node_is_healthy_by_its_own_check(kafka: ComposedKafka) -> None:
    for name in kafka.services:
        checked = kafka.healthy(name)
        assert checked.returncode == 0, checked.stderr
        assert checked.stdout.count("(id: ") == len(kafka.services)


def test_the_workers_login_publishes_and_topics_are_made_as_the_files_say(
    kafka: ComposedKafka, worker: dict[str, str | None], tmp_path: Path
) -> None:
    file = write_lines(tmp_path / "events.ndjson", [{"topic": "clicks", "value": VIEW}])
    code, _, said = here("produce", file, **worker)
    assert code == 0, said
    nodes = len(kafka.services)
    address = ["--bootstrap-server", kafka.servers[0], "--command-config", str(kafka.admin_file)]
    told = kafka.tool("org.apache.kafka.tools.TopicCommand", *address, "--describe", "--topic", "clicks")
    line = told.splitlines()[0]
    assert f"ReplicationFactor: {nodes}" in line
    assert f"PartitionCount: {worker['WHEREWITHAL_PARTITIONS']}" in line
    assert ("min.insync.replicas=2" in line) == (nodes == 3)
    if nodes == 3:
        kafka.kill(3)
        try:
            code, _, said = here("produce", file, **worker)
        finally:
            kafka.start(3)
        assert code == 0, f"with two nodes of three: {said}"


def test_nobody_gets_in_with_another_password_or_with_none(
    kafka: ComposedKafka, worker: dict[str, str | None], tmp_path: Path
) -> None:
    file = write_lines(tmp_path / "events.ndjson", [{"topic": "clicks", "value": VIEW}])
    wrong = tmp_path / "wrong"
    wrong.write_text(json.dumps(PASSWORDS))
    code, _, said = here("produce", file, **worker | {"WHEREWITHAL_BROKER_PASSWORD_FILE": str(wrong)})
    assert code == 1
    assert "refuses the login 'wherewithal': check WHEREWITHAL_BROKER_USERNAME and" in said
    nothing = dict.fromkeys(name for name in worker if "SASL" in name or "USERNAME" in name or "PASSWORD" in name)
    code, _, said = here("produce", file, **worker | nothing | {"WHEREWITHAL_REQUEST_TIMEOUT_S": "5"})
    assert code == 1
    assert said.count("\n") == 1
