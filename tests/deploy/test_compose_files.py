"""The compose files: they agree with each other and with the program."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

from support.pages import blocks, text_of
from support.servers.compose import DEPLOY, ONE_NODE, THREE_NODES, composed, unescaped

from streams.settings import VARIABLES

MIB = 1 << 20


def test_every_image_is_pinned_to_a_release(services: dict[str, Any]) -> None:
    tags = {service["image"].partition(":")[2] for service in services.values()}
    assert tags.isdisjoint({"", "latest"})


def test_every_service_that_is_waited_for_can_tell_that_it_is_healthy(services: dict[str, Any]) -> None:
    waits = {(n, c["condition"]) for s in services.values() for n, c in s.get("depends_on", {}).items()}
    assert waits == {("kafka", "service_healthy"), ("redis", "service_healthy")}
    assert all("healthcheck" in services[name] for name, _ in waits)


def test_kafka_is_a_single_kraft_node_whose_internal_topics_need_one_replica(
    services: dict[str, Any],
) -> None:
    given = services["kafka"]["environment"]
    assert given["KAFKA_PROCESS_ROLES"] == "broker,controller"
    assert given["KAFKA_CONTROLLER_QUORUM_VOTERS"].startswith(f"{given['KAFKA_NODE_ID']}@kafka:")
    assert given["KAFKA_ADVERTISED_LISTENERS"] == "CLIENTS://kafka:9092"
    assert {given[name] for name in given if name.endswith(("REPLICATION_FACTOR", "MIN_ISR"))} == {"1"}


def test_no_listener_of_kafka_takes_anybody_without_a_login(services: dict[str, Any]) -> None:
    given = services["kafka"]["environment"]
    names = [listener.partition(":")[0] for listener in given["KAFKA_LISTENERS"].split(",")]
    mapped = dict(entry.split(":") for entry in given["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    assert mapped == dict.fromkeys(names, "SASL_PLAINTEXT")
    for name in names:
        assert "PlainLoginModule required" in given[f"KAFKA_LISTENER_NAME_{name}_PLAIN_SASL_JAAS_CONFIG"]


def test_every_password_comes_from_the_file_of_a_secret() -> None:
    document = composed(THREE_NODES)
    logins = [login for login in document["secrets"] if login != "admin"]
    assert document["secrets"] == {name: {"file": f"./secrets/{name}"} for name in ("admin", *logins)}
    for name, service in document["services"].items():
        given = unescaped(service.get("environment", {}))
        passwords = re.findall(r'(?:password|user_\w+)="([^"]*)"', " ".join(given.values()))
        read = {*passwords, given.get("WHEREWITHAL_BROKER_PASSWORD_FILE", "")} - {""}
        expected = {f"${{directory:/run/secrets:{one}}}" for one in document["secrets"]}
        if name.startswith("worker"):
            assert service["secrets"] == [given["WHEREWITHAL_BROKER_USERNAME"]] == logins
            expected = {f"/run/secrets/{login}" for login in logins}
        assert read == (expected if "secrets" in service else set())


def test_the_passwords_are_made_as_the_page_says(tmp_path: Path) -> None:
    (block,) = [block for block in blocks(text_of(DEPLOY / "README.md"), "sh") if "openssl" in block]
    lines = [line for line in block.splitlines() if not line.startswith(("docker", " "))]
    (tmp_path / "deploy").mkdir()
    subprocess.run(["bash", "-euc", "\n".join(lines)], cwd=tmp_path, check=True)
    made = {file.name: file.read_text() for file in (tmp_path / "deploy" / "secrets").iterdir()}
    assert set(made) == set(composed(THREE_NODES)["secrets"])
    assert all(re.fullmatch("[0-9a-f]{48}", password) for password in made.values()), "no end of a line, either"


def test_three_nodes_differ_in_what_is_their_own_and_keep_a_record_when_one_is_lost() -> None:
    document = composed(THREE_NODES)
    nodes = {name: one for name, one in document["services"].items() if name.startswith("kafka")}
    given = [dict(node["environment"]) for node in nodes.values()]
    voters = ",".join(f"{one['KAFKA_NODE_ID']}@{name}:9093" for one, name in zip(given, nodes, strict=True))
    for one, name in zip(given, nodes, strict=True):
        assert nodes[name]["hostname"] == name
        assert one.pop("KAFKA_ADVERTISED_LISTENERS") == f"CLIENTS://{name}:9092"
        assert one["KAFKA_CONTROLLER_QUORUM_VOTERS"] == voters
        assert {one[key] for key in one if key.endswith("REPLICATION_FACTOR")} == {"3"}
        assert {one[key] for key in one if key.endswith(("MIN_ISR", "MIN_INSYNC_REPLICAS"))} == {"2"}
    assert len({one.pop("KAFKA_NODE_ID") for one in given}) == 3
    assert given[0] == given[1] == given[2]
    data = [mount.split(":")[0] for node in nodes.values() for mount in node["volumes"] if "/kafka/data" in mount]
    assert len(set(data)) == 3
    assert set(data) <= set(document["volumes"])
    for name, worker in document["services"].items():
        if name.startswith("worker"):
            brokers = ",".join(f"{node}:9092" for node in nodes)
            assert worker["environment"]["WHEREWITHAL_BROKER"] == f"kafka://{brokers}"
            assert worker["environment"]["WHEREWITHAL_REPLICATION"] == "3"
            assert set(nodes) <= set(worker["depends_on"])


def test_kafka_takes_records_of_8_mib_with_room_for_headers(services: dict[str, Any]) -> None:
    assert int(services["kafka"]["environment"]["KAFKA_MESSAGE_MAX_BYTES"]) > 8 * MIB


def test_only_the_program_makes_topics_and_every_worker_with_the_same_partitions(
    services: dict[str, Any], workers: dict[str, Any]
) -> None:
    assert services["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert len({worker["environment"]["WHEREWITHAL_PARTITIONS"] for worker in workers.values()}) == 1


def test_redis_never_evicts_and_keeps_its_rows(services: dict[str, Any]) -> None:
    command = " ".join(services["redis"]["command"])
    assert "--maxmemory-policy noeviction" in command
    assert "--appendonly yes" in command


def test_two_workers_are_alike_but_for_their_state(workers: dict[str, Any]) -> None:
    assert len(workers) == 2
    volumes = [worker["volumes"] for worker in workers.values()]
    assert volumes[0] != volumes[1]
    folder = {worker["environment"]["WHEREWITHAL_STATE_DIR"] for worker in workers.values()}
    assert {mount.partition(":")[2] for mounts in volumes for mount in mounts} == folder
    first, second = ({k: v for k, v in worker.items() if k != "volumes"} for worker in workers.values())
    assert first == second


def test_every_named_volume_is_declared(services: dict[str, Any]) -> None:
    mounts = [mount.partition(":")[0] for s in services.values() for mount in s.get("volumes", [])]
    named = [mount for mount in mounts if not mount.startswith(".")]
    assert sorted(named) == sorted(composed(ONE_NODE)["volumes"])


def test_every_setting_given_to_a_worker_is_one_the_program_has(workers: dict[str, Any]) -> None:
    for worker in workers.values():
        assert set(worker["environment"]) <= VARIABLES
