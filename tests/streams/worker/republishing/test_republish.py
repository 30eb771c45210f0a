"""Publishing every user again: what an online store lost is served again, and what it must not hold is removed."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sqlite3
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from support.encoders import HashEncoder
from support.online_rows import make_row
from support.patience import PATIENCE_S
from support.runs import quick_settings
from support.served_again import click, lose_everything, one_click_each, take, until, worker
from support.shoppers import BASE

from features.online import open_online_store
from streams.broker.embedded import EmbeddedBroker
from streams.broker.reading import read_topic
from streams.contract import SCORES, topic_name
from streams.exceptions import ConfigurationError, LocalStateError
from streams.operating.republish_client import RepublishError, own_worker, republish, worker_url
from streams.settings import Settings, StateStore, load_settings
from streams.telemetry.metrics import Metrics
from streams.telemetry.server import Answer, Server
from streams.worker.flow import Flow
from streams.worker.republishing.endpoint import RepublishEndpoint
from streams.worker.republishing.progress import DONE, PATH, RUNNING, Progress, of_worker
from streams.worker.republishing.recovered_erasures import FOLDER, RecoveredErasures
from streams.worker.stage_spec import USERS
from streams.worker.stages.stores import open_store


@pytest.fixture(params=["sqlite", "redis"])
def online_store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'online.db'}"
    url: str = request.getfixturevalue("redis_url")
    return url


def erasure(user: str, timestamp: int = BASE + 1) -> dict[str, Any]:
    return {"topic": "erasures", "value": {"user_id": user, "timestamp": timestamp}}


@contextmanager
def asked_over_http(flow: Flow) -> Iterator[str]:
    """Serve the endpoint of a flow, as a worker does; give its address."""
    endpoint = RepublishEndpoint(asyncio.get_running_loop(), lambda: (flow.production.republisher, None))
    with serving(endpoint) as url:
        yield url


@contextmanager
def serving(resource: Any) -> Iterator[str]:
    server = Server(load_settings(metrics_port=0), Metrics(), lambda: None, lambda: None, {PATH: resource})
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()


async def wherewithal(*words: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams.cli.main", *words), stdout=-1, stderr=-1
    )
    out, errors = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return process.returncode, out.decode(), errors.decode()


def bring_back(url: str, user: str) -> None:
    """Write a row as a backup would have it: of a version before every one of today."""
    row = make_row(user, 25, fence=(1, 1, 1), event_time=1)
    with closing(open_online_store(url)) as store:
        assert store.write([row]).written == 1
        assert store.has(user)


def serves(url: str, user: str) -> bool:
    with closing(open_online_store(url)) as store:
        return store.has(user)


async def tombstones(settings: Settings, user: str) -> int:
    batches = read_topic(settings, topic_name(settings, SCORES))
    return sum([r.value is None and r.key == user.encode() async for records in batches for r in records])


async def test_a_store_that_lost_its_rows_serves_everyone_again_and_none_of_the_erased(
    tmp_path: Path, online_store: str
) -> None:
    settings = quick_settings(tmp_path, online_store=online_store)
    lines = [*one_click_each(30), click("gone", 100), erasure("gone"), click("back", 101), erasure("back")]
    async with worker(settings, [*lines, click("back", 102, BASE + 2)]) as (flow, before):
        assert "gone" not in before.features
        lose_everything(online_store)
        bring_back(online_store, "gone")
        bring_back(online_store, "back")
        with asked_over_http(flow) as url:
            code, out, errors = await wherewithal("republish", "--worker", url, "--json", "--users-per-s", "5000")
        after = await take(flow, [])
        assert await tombstones(flow.settings, "gone") == 2
        assert await tombstones(flow.settings, "back") == 1
    assert code == 0
    told = ("users and items published again: ", "partitions gone through: ")
    assert all(line.startswith(told) for line in errors.splitlines())
    summary = orjson.loads(out)
    assert summary.pop("seconds") > 0
    assert summary == {"users": 31, "erased": 1, "items": 0, "partitions": 3, "workers": 1}
    assert after.features == before.features
    assert after.features["back"]["revision"] == 1
    assert not serves(online_store, "gone")
    assert all(after.scores[user]["trigger"] is None for user in before.scores), "nobody's event caused these"


async def test_a_worker_warns_of_a_redis_that_may_lose_rows(
    tmp_path: Path, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = quick_settings(tmp_path, online_store=redis_url)
    with caplog.at_level(logging.WARNING, logger="wherewithal"):
        open_store(settings, USERS).close()
    (line,) = caplog.records
    assert line.getMessage() == "the online store may lose rows"
    assert "a Redis with snapshots or an append-only file" in line.fields["reason"]  # type: ignore[attr-defined]


async def test_a_request_while_one_is_under_way_begins_anew_and_goes_through_everybody(tmp_path: Path) -> None:
    settings = quick_settings(tmp_path, partitions=1)
    async with worker(settings, one_click_each(250)) as (flow, _):
        republisher = flow.production.republisher
        first = republisher.begin(users_per_s=1)
        await until(lambda: republisher.progress.users == 100)
        lose_everything(flow.settings.online_url)
        second = republisher.begin(users_per_s=10_000)
        assert (second.worker, second.run, second.users) == (first.worker, first.run + 1, 0)
        await until(lambda: republisher.progress.state == DONE)
        assert republisher.progress.users == 250
        assert republisher.progress.finished == (0,)
        assert len((await take(flow, [])).features) == 250
        assert flow.metrics.registry.get_sample_value("wherewithal_republished_users_total") == 350


async def test_a_partition_that_moves_in_between_does_not_count_as_gone_through(tmp_path: Path) -> None:
    settings = quick_settings(tmp_path, partitions=2)
    async with worker(settings, one_click_each(500)) as (flow, _):
        with asked_over_http(flow) as url:
            # A slice of 100 users every two seconds.
            asking = asyncio.create_task(asyncio.to_thread(republish, [url], 50, lambda _: None))
            await until(lambda: flow.production.republisher.progress.users > 0)
            await flow.engine.release()
            with pytest.raises(RepublishError, match="found 0, 1 left out: name every worker"):
                await asyncio.wait_for(asking, PATIENCE_S)
        assert flow.production.republisher.progress.state == DONE


async def test_what_recovery_learns_of_an_erasure_reaches_the_online_store(tmp_path: Path, online_store: str) -> None:
    with EmbeddedBroker() as broker:
        settings = quick_settings(tmp_path, broker=broker.url, online_store=online_store)
        lines = [*one_click_each(5), click("gone", 100), erasure("gone")]
        async with worker(settings, lines):
            pass
        lose_everything(online_store)
        for user in ("gone", *(f"u{number}" for number in range(5))):
            bring_back(online_store, user)
        async with Flow(settings, encoder=HashEncoder()) as flow:
            await until(lambda: not serves(online_store, "gone"))
            assert await tombstones(flow.settings, "gone") == 2


async def test_a_state_folder_restored_from_before_an_erasure_does_not_bring_the_erased_back(
    tmp_path: Path, kafka: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = quick_settings(
        tmp_path / "state", broker=kafka.url, topic_prefix="restored-", state_store=StateStore.ROCKSDB
    )
    lines = [click(user, number) for number, user in enumerate(["gone", "back", "stays"] * 3)]
    async with worker(settings, lines) as (_, run):
        assert {user: row["revision"] for user, row in run.features.items()} == {"gone": 3, "back": 3, "stays": 3}
    shutil.copytree(settings.state_dir, tmp_path / "backup")
    more = [erasure("gone"), erasure("back")]
    async with worker(settings, more) as (flow, run):
        run = await take(flow, [click("back", 100, BASE + 2)])
        assert {user: row["revision"] for user, row in run.features.items()} == {"back": 1, "stays": 3}
    shutil.rmtree(settings.state_dir)
    shutil.copytree(tmp_path / "backup", settings.state_dir)
    assert serves(settings.online_url, "gone")
    with monkeypatch.context() as patch:
        # As if it died right after the recovery, whose end the local store remembers.
        patch.setattr(RecoveredErasures, "hand_over", lambda *_: None)
        async with Flow(settings, encoder=HashEncoder()):
            assert serves(settings.online_url, "gone")
    async with Flow(settings, encoder=HashEncoder()) as flow:
        await until(lambda: not serves(settings.online_url, "gone"))
        await until(lambda: served_revision(settings, "back") == 1)
        assert served_revision(settings, "stays") == 3
        assert await tombstones(flow.settings, "gone") == 2
        await until(lambda: not list((settings.state_dir / FOLDER).iterdir()))


def test_users_met_in_a_recovery_are_noted_on_disk_whatever_a_worker_died_in(tmp_path: Path) -> None:
    settings = quick_settings(tmp_path, state_store=StateStore.ROCKSDB)
    erasures = RecoveredErasures(settings, dict, pytest.fail)
    erasures.met(1, [b"one\n", "zw\u00f6lf".encode()])
    with (tmp_path / FOLDER / "1.ndjson").open("ab") as file:
        file.write(b'"cut')
    erasures.met(1, [b"two"])
    erasures.met(2, [b"other"])
    assert erasures._noted(1) == {b"one\n", "zw\u00f6lf".encode(), b"two"}
    assert erasures._noted(3) == set()
    (tmp_path / "file").touch()
    elsewhere = settings.model_copy(update={"state_dir": tmp_path / "file"})
    with pytest.raises(LocalStateError, match="found Not a directory; check the free space"):
        RecoveredErasures(elsewhere, dict, pytest.fail).met(1, [b"one"])


def served_revision(settings: Settings, user: str) -> int | None:
    from features.online.user_views import USERS

    with closing(sqlite3.connect(settings.online_url.removeprefix("sqlite:///"))) as connection:
        found = connection.execute(
            "SELECT value_text FROM wherewithal_purchasing_power WHERE feature_name = 'revision' AND entity_key = ?",
            (USERS.keys.encode(user),),
        ).fetchone()
    return None if found is None else int(found[0])


class Told:
    """A worker that answers what it is told to: `begun` to a request, then `later` one by one, the last for ever."""

    def __init__(self, begun: Progress | Answer, *later: Progress) -> None:
        self._begun = begun
        self._later = list(later)
        self._lock = threading.Lock()
        self.bodies: list[Mapping[str, int]] = []

    def post(self, body: bytes) -> Answer:
        self.bodies.append(orjson.loads(body))
        return self._begun if isinstance(self._begun, Answer) else Answer(202, msgspec.json.encode(self._begun))

    def get(self) -> Answer:
        with self._lock:
            progress = self._later.pop(0) if len(self._later) > 1 else self._later[0]
        return Answer(200, msgspec.json.encode(progress))


def progress(worker: str, state: str, mine: tuple[int, ...], finished: tuple[int, ...] | None = None) -> Progress:
    through = mine if finished is None else finished
    return Progress(worker, 1, state, users=10, partitions=mine, finished=through, of_partitions=4)


def test_every_worker_is_asked_and_waited_for() -> None:
    one = Told(progress("a", RUNNING, (0, 2), ()), progress("a", RUNNING, (0, 2), (0,)), progress("a", DONE, (0, 2)))
    two = Told(progress("b", DONE, (1, 3)), progress("b", DONE, (1, 3)))
    shown: list[int] = []
    with serving(one) as first, serving(two) as second:
        found = republish([first, second], 50, lambda known: shown.append(sum(len(p.finished) for p in known)))
    assert [p.finished for p in found] == [(0, 2), (1, 3)]
    assert shown == [2, 3, 4]
    assert one.bodies == two.bodies == [{"users_per_s": 50}]


def test_a_partition_that_none_of_the_workers_asked_has_is_named() -> None:
    with serving(Told(progress("a", DONE, (0, 2)))) as url, pytest.raises(RepublishError, match="found 1, 3 left out"):
        republish([url], None, lambda _: None)


def test_partitions_of_items_have_to_be_gone_through_where_a_worker_asked_has_some() -> None:
    users = progress("a", DONE, (0, 1, 2, 3))
    items = progress("b", DONE, (0, 2))
    both, alone = of_worker(users, items), of_worker(None, items)
    assert both is not None
    assert alone is not None
    assert (both.users, both.items, both.finished) == (10, 10, (0, 1, 2, 3))
    assert (alone.users, alone.items, alone.finished, alone.of_partitions) == (0, 10, (), 0)
    for told in (both, alone):
        with (
            serving(Told(told)) as url,
            pytest.raises(RepublishError, match="partition of items to be gone through, found 1, 3"),
        ):
            republish([url], None, lambda _: None)
    rest = of_worker(None, progress("c", DONE, (1, 3)))
    assert rest is not None
    with serving(Told(both)) as one, serving(Told(rest)) as other:
        assert sum(found.items for found in republish([one, other], None, lambda _: None)) == 20


def test_a_worker_is_done_once_both_of_its_stages_are() -> None:
    done, running = progress("a", DONE, (0,)), progress("b", RUNNING, (0,), ())
    for users, items in ((done, running), (running, done), (None, running)):
        found = of_worker(users, items)
        assert found is not None
        assert found.state == RUNNING
    assert of_worker(done, None) == done
    assert of_worker(None, None) is None


def test_a_worker_that_was_started_anew_in_between_is_told_from_the_one_that_was_asked() -> None:
    began = progress("a", RUNNING, (0, 1, 2, 3), ())
    with (
        serving(Told(began, progress("b", DONE, (0, 1, 2, 3)))) as url,
        pytest.raises(RepublishError, match="started anew in between"),
    ):
        republish([url], None, lambda _: None)


def test_a_worker_that_ends_in_between_is_told() -> None:
    gone: list[bool] = []

    def end(_: object) -> None:
        if not gone:
            server.stop()
            gone.append(True)

    told = Told(progress("a", RUNNING, (0, 1, 2, 3), ()))
    server = Server(load_settings(metrics_port=0), Metrics(), lambda: None, lambda: None, {PATH: told})
    server.start()
    with pytest.raises(RepublishError, match="found ConnectionRefusedError: check that it runs"):
        republish([f"http://127.0.0.1:{server.port}"], None, end)


def test_a_worker_that_is_starting_or_is_none_says_so() -> None:
    loop = asyncio.new_event_loop()
    with (
        serving(RepublishEndpoint(loop, lambda: (None, None))) as url,
        pytest.raises(RepublishError, match="found: starting"),
    ):
        republish([url], None, lambda _: None)
    loop.close()
    with serving(Told(Answer(200, b"<html>"))) as url, pytest.raises(RepublishError, match="none of a worker's"):
        republish([url], None, lambda _: None)


@pytest.mark.parametrize("body", [b"[]", b'{"users_per_s": 0}', b'{"users_per_s": "many"}', b'{"users": 1}', b"{"])
async def test_a_request_that_is_none_is_refused_and_begins_nothing(tmp_path: Path, body: bytes) -> None:
    begun: list[object] = []
    endpoint = RepublishEndpoint(asyncio.get_running_loop(), lambda: (begun, None))  # type: ignore[arg-type, return-value]
    answer = await asyncio.to_thread(endpoint.post, body)
    assert answer.status == 400
    assert orjson.loads(answer.body)["reason"].startswith('expected {} or {"users_per_s": N}')


async def test_the_command_ends_with_one_line_where_no_worker_is(unused_port: int) -> None:
    code, out, errors = await wherewithal("republish", "--worker", f"http://127.0.0.1:{unused_port}")
    assert (code, out) == (1, "")
    assert errors.startswith(f"wherewithal republish: expected a worker at http://127.0.0.1:{unused_port} to answer")
    assert errors.count("\n") == 1
    code, out, errors = await wherewithal("republish", "--worker", "ftp://worker/")
    assert (code, out) == (2, "")
    assert "expected http://host:port, found 'ftp://worker/'" in errors


@pytest.mark.parametrize("text", ["", "worker:9464", "http://", "http://w:port", "http://w:1/metrics", "http://me@w:1"])
def test_what_is_no_address_of_a_worker_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected http://host:port"):
        worker_url(text)


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:1"), ("0.0.0.0", "http://127.0.0.1:1"), ("::", "http://[::1]:1")],
)
def test_the_worker_asked_by_default_is_that_of_the_settings(host: str, url: str) -> None:
    assert own_worker(load_settings(metrics_host=host, metrics_port=1)) == worker_url(url) == url
    with pytest.raises(ConfigurationError, match="name the worker with --worker"):
        own_worker(load_settings(metrics_host=host, metrics_port=0))
