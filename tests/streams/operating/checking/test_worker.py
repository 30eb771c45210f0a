"""`worker --check`: what keeps a worker from starting is found, one line each, and nothing is changed."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from support.command import here
from support.servers.brokers import Broker

from streams.broker.topics.admin import Admin, Made
from streams.broker.topics.provisioning import make_topics
from streams.contract import CAPACITY, SCORES
from streams.operating.checking.finding import Finding
from streams.operating.checking.worker import findings
from streams.settings import Settings, load_settings
from streams.worker.lifecycle.state_lock import lock_state
from streams.worker.state.binding import bind


def settings_of(folder: Path, broker: Broker, **changes: Any) -> Settings:
    return load_settings(
        **{
            "broker": broker.url,
            "topic_prefix": broker.topic_prefix,
            "state_dir": folder / "state",
            "partitions": 3,
            "metrics_port": 0,
        }
        | changes
    )


def check(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dict[str, Finding]:
    """Look, but for the models, which take a while to load."""
    monkeypatch.setattr("streams.operating.checking.worker._of_models", lambda _: "loaded")

    async def look() -> dict[str, Finding]:
        return {finding.what: finding async for finding in findings(settings)}

    return asyncio.run(look())


def ill(found: dict[str, Finding]) -> dict[str, str]:
    return {what: finding.said for what, finding in found.items() if not finding.well}


def test_a_first_start_is_well_and_the_check_makes_nothing(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path, broker)
    found = check(settings, monkeypatch)
    assert ill(found) == {}
    assert found[f"topic {broker.topic_prefix}{SCORES}"].said.startswith("missing, made by the first worker")
    assert found["state folder"].said.endswith("made at the start")
    assert list(tmp_path.iterdir()) == []

    async def topics() -> dict[str, Any]:
        async with Admin(settings) as admin:
            return await admin.topics([f"{broker.topic_prefix}{SCORES}"])

    assert asyncio.run(topics()) == {}


def test_topics_binding_and_store_of_a_worker_that_has_run_are_well(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path, broker)
    bind(settings, asyncio.run(make_topics(settings)))
    found = check(settings, monkeypatch)
    assert ill(found) == {}
    assert found[f"topic {broker.topic_prefix}{SCORES}"].said.startswith("partitions 3")
    assert found["state folder"].said.endswith("bound to this cluster")


@pytest.mark.parametrize("partitions", [3, 4])
def test_a_topic_of_capacity_that_nobody_publishes_to_any_more_is_told(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch, partitions: int
) -> None:
    settings = settings_of(tmp_path, broker)
    asyncio.run(make_topics(settings))
    what = f"topic {broker.topic_prefix}{CAPACITY}"
    assert what not in check(settings, monkeypatch)

    async def made_before() -> None:
        async with Admin(settings) as admin:
            await admin.create([Made(f"{broker.topic_prefix}{CAPACITY}", partitions, 1, {})])
            await admin.led([f"{broker.topic_prefix}{CAPACITY}"])

    asyncio.run(made_before())
    found = check(settings, monkeypatch)
    assert ill(found) == {}
    assert "erasures clear it" in found[what].said
    assert ("it was not this deployment's" in found[what].said) == (partitions == 4)
    estimated = check(settings.model_copy(update={"capacity_artefact": "some/folder"}), monkeypatch)
    assert ("partitions" in ill(estimated)) == (partitions == 4)


def test_everything_that_would_stop_a_worker_is_told_at_once(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path, broker)
    cluster = asyncio.run(make_topics(settings))
    bind(settings, type(cluster)("another", 3))
    (tmp_path / "online.db").write_bytes(b"no database, and long enough to be taken for one" * 99)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        changed = {
            "online_store": f"sqlite:///{tmp_path}/online.db",
            "metrics_port": taken.getsockname()[1],
            "shadow_artefact": str(tmp_path / "none"),
            "served_log": tmp_path / "online.db",
        }
        said = ill(check(settings.model_copy(update=changed), monkeypatch))
    assert "holds state of cluster 'another'" in said["state folder"]
    assert said["online store"].startswith("WHEREWITHAL_ONLINE_STORE: expected to write the SQLite online store")
    assert said["metrics port"].startswith("WHEREWITHAL_METRICS_HOST, WHEREWITHAL_METRICS_PORT: expected to listen on")
    assert said["shadow"].startswith("WHEREWITHAL_SHADOW_ARTEFACT: expected a folder")
    assert said["log of what is served"].startswith("WHEREWITHAL_SERVED_LOG: expected a folder")


def test_a_state_folder_that_another_worker_has_is_told(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path, broker)
    unlock = lock_state(settings)
    assert "in use by another (process" in ill(check(settings, monkeypatch))["state folder"]
    unlock()
    assert ill(check(settings, monkeypatch)) == {}


def test_topics_of_unequal_numbers_of_partitions_are_told(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path, broker)

    async def make() -> None:
        async with Admin(settings) as admin:
            await admin.create(
                [Made(f"{broker.topic_prefix}{name}", n, 1, {}) for name, n in (("clicks", 2), ("reviews", 3))]
            )

    asyncio.run(make())
    said = ill(check(settings, monkeypatch))
    assert said["partitions"].startswith("expected all topics to have the same number of partitions")


def test_a_broker_that_is_away_is_told_and_the_rest_is_looked_at(
    tmp_path: Path, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(broker=f"kafka://127.0.0.1:{unused_port}", state_dir=tmp_path, metrics_port=0)
    found = check(settings, monkeypatch)
    assert set(ill(found)) == {"broker", "topics"}
    assert found["online store"].well


def test_redis_is_written_to_and_left_as_it_was(
    tmp_path: Path, broker: Broker, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = check(settings_of(tmp_path, broker, online_store=redis_url), monkeypatch)
    assert found["online store"].well
    assert found["online store"].said.startswith("can be written")


def test_the_command_prints_a_line_for_each_and_ends_with_1_if_one_is_not_well(tmp_path: Path, broker: Broker) -> None:
    environment = broker.environment | {"WHEREWITHAL_STATE_DIR": str(tmp_path), "WHEREWITHAL_METRICS_PORT": "0"}
    code, out, err = here("worker", "--check", **environment)
    assert (code, err) == (0, "")
    assert all(line.startswith(("ok       ", "not told rights: ")) for line in out.splitlines())
    assert "models: encoder all-MiniLM-L6-v2@" in out
    assert "is weak on Chinese shopping" in out
    code, out, err = here("worker", "--check", **environment, WHEREWITHAL_ENCODER="none\x1b[2J")
    assert (code, err) == (1, "")
    (line,) = [line for line in out.splitlines() if not line.startswith(("ok ", "not told rights: "))]
    assert line.startswith("NOT WELL models: WHEREWITHAL_ENCODER: expected encoder 'none")
    assert "\x1b" not in out


def test_without_a_broker_there_is_nothing_to_check() -> None:
    code, out, err = here("worker", "--check")
    assert (code, out) == (2, "")
    assert err.startswith("wherewithal worker: WHEREWITHAL_BROKER: expected kafka://host:port")


def test_an_instance_id_is_well_only_where_the_broker_knows_static_members(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    assert "instance id" not in check(settings_of(tmp_path, broker), monkeypatch)
    found = check(settings_of(tmp_path, broker, group_instance_id="w1"), monkeypatch)["instance id"]
    if request.config.getoption("broker") == "kafka":
        assert found == Finding("instance id", True, "w1")
    else:
        assert (found.well, found.said[:29]) == (False, "WHEREWITHAL_GROUP_INSTANCE_ID")
