"""A cluster for the chaos tests: a broker and an online store of the test's own, workers as child processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from chaos.worker import work
from support.forked import Forked
from support.item_oracle import Rows, assert_item_changelog, assert_rows, assert_signals, wanted_items
from support.oracle import (
    assert_capacity,
    assert_changelog,
    assert_reference,
    assert_score_log,
    assert_scores,
    superseded,
    wanted_features,
)
from support.patience import PATIENCE_S
from support.plain_feast import served_features, served_items
from support.shoppers import encoded
from support.twofold.comparing import VECTOR, differing

from streams.broker.connection import connection
from streams.broker.publisher import Publisher
from streams.broker.topics.log_ends import high_watermarks
from streams.broker.topics.provisioning import make_topics
from streams.contract import FACTS, topic_name
from streams.name_settings import items_group_name
from streams.operating.feeder import Ends, Feeder
from streams.operating.read_back import Scores, last_scores
from streams.settings import Settings, StateStore, WindowEdge, load_settings
from streams.sources.reading import numbered

TESTS = Path(__file__).parent.parent
SCRIPT = Path(__file__).with_name("worker.py")
"""A worker in an interpreter of its own, for whoever measures how long a start takes."""

START_S = PATIENCE_S
POLL_S = 0.05

SESSION_S = 3.0
FEED_CHUNK = 100


async def until(condition: Callable[[], Any], within_s: float, what: str) -> Any:
    """Poll for a condition, and return what it gave.

    Raises:
        AssertionError: it was not true in time.
    """
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        await asyncio.sleep(POLL_S)
    return found


class Worker:
    """A worker process; its log is a file of JSON lines."""

    def __init__(self, process: subprocess.Popen[bytes] | Forked, log: Path) -> None:
        self.process = process
        self._log = log
        self.began = time.monotonic()

    def entries(self) -> list[dict[str, Any]]:
        """The log lines so far that are JSON."""
        return [json.loads(line) for line in self._lines() if line.startswith("{")]

    def plain_lines(self) -> list[str]:
        """What was written on standard error beside the log."""
        return [line for line in self._lines() if not line.startswith("{")]

    def said(self, message: str) -> dict[str, Any] | None:
        """The first log entry with that message."""
        return next((entry for entry in self.entries() if entry["message"].startswith(message)), None)

    def last_lines(self) -> list[str]:
        """The end of its log."""
        return self._lines()[-5:]

    def _lines(self) -> list[str]:
        # A line may be seen while it is written, and a worker may be killed in the middle of one.
        whole, _, _ = self._log.read_text(errors="replace").rpartition("\n")
        return whole.splitlines()

    async def ready(self) -> Worker:
        """Wait until it has joined its group and recovered its partitions."""

        def ready_or_ended() -> bool:
            return self.process.poll() is not None or self.said("ready") is not None

        await until(ready_or_ended, START_S, "the worker is ready")
        assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.last_lines()}"
        return self

    async def ready_again(self) -> None:
        """Wait until it says that it can do its work: it looks now and then whether it has rejoined its group."""
        async with asyncio.timeout(PATIENCE_S):
            while (await self.get("/readyz"))[0] != 200:
                await asyncio.sleep(POLL_S)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def suspend(self) -> None:
        """SIGSTOP."""
        self.process.send_signal(signal.SIGSTOP)

    @property
    def suspended(self) -> bool:
        """Whether it has stopped (SIGSTOP).

        Raises:
            AssertionError: it has ended.
        """
        assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.last_lines()}"
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].startswith("T")

    def resume(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)

    async def stop(self) -> float:
        """SIGTERM; return how long leaving took (s)."""
        started = time.monotonic()
        self.process.terminate()
        await self.ended(PATIENCE_S)
        return time.monotonic() - started

    async def ended(self, within_s: float = PATIENCE_S) -> int:
        """Wait for the end of the process and return its exit status."""
        await until(lambda: self.process.poll() is not None, within_s, "the worker has ended")
        code = self.process.poll()
        assert code is not None
        return code

    async def get(self, path: str) -> tuple[int, str]:
        """GET from its metrics and health server: status and body."""
        serving = self.said("serving metrics and health")
        assert serving is not None
        return await asyncio.to_thread(_get, f"http://127.0.0.1:{serving['port']}{path}")

    async def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        _, body = await self.get("/metrics")
        values = [line.rsplit(" ", 1) for line in body.splitlines() if not line.startswith("#")]
        return sum(float(value) for series, value in values if series.partition("{")[0] == name)


def _get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def _launch(script: Path | None, environment: dict[str, str], log: Path) -> subprocess.Popen[bytes] | Forked:
    if script is None:
        return Forked(work, environment, errors=log)
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, str(script)],
            env=environment | {"PYTHONPATH": path, "HF_HUB_OFFLINE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=out,
        )


@dataclass(frozen=True)
class Outcome:
    """What was read back of a drained cluster, by user."""

    features: dict[str, dict[str, Any]]
    scores: Scores


class Cluster:
    """Broker, stores, workers and input of one test.

    Args:
        folder: everything of it lies here.
        broker: URL for the workers.
        own_broker: URL for the test itself, where a proxy is between the workers and the broker.
        online_store: URL; SQLite in the folder by default.
        partitions: of every topic.
        script: that every worker runs, in an interpreter of its own; by default they are forked.
        settings: more of them, for the test and its workers.
    """

    def __init__(
        self,
        folder: Path,
        broker: str,
        *,
        own_broker: str | None = None,
        online_store: str | None = None,
        partitions: int = 3,
        script: Path | None = None,
        **settings: Any,
    ) -> None:
        self.folder = folder
        self._script = script
        self.worker_broker = broker
        self._further = settings
        self.settings: Settings = load_settings(
            broker=own_broker or broker,
            online_store=online_store or f"sqlite:///{folder / 'online.db'}",
            state_dir=folder / "own",
            state_store=StateStore.ROCKSDB,
            window_edge=WindowEdge.EVENT,
            partitions=partitions,
            **settings,
        )
        self.workers: list[Worker] = []
        self._later = folder / "hours-later"
        self._publisher: Publisher
        self._feeder: Feeder
        self._consumer: Any = None
        self._item_consumer: Any = None

    async def open(self) -> Cluster:
        """Make the topics and connect."""
        await make_topics(self.settings)
        self._publisher = Publisher(self.settings)
        await self._publisher.start()
        self._feeder = Feeder(self.settings, self._publisher)
        self._consumer = await self._member(self.settings.topic_prefix + self.settings.group)
        self._item_consumer = await self._member(items_group_name(self.settings))
        return self

    async def _member(self, group: str) -> Any:
        """What asks how far a group is."""
        consumer = AIOKafkaConsumer(**connection(self.settings), group_id=group, enable_auto_commit=False)
        await consumer.start()
        return consumer

    async def close(self) -> None:
        """End every worker and disconnect."""
        for worker in self.workers:
            worker.kill()
        await self._publisher.stop()
        await self._consumer.stop()
        await self._item_consumer.stop()

    def start(self, name: str = "one", script: Path | None = None, **environment: object) -> Worker:
        """Start a worker with a state folder by its name; `stall_s=5` sets WHEREWITHAL_STALL_S=5."""
        chosen = {
            "broker": self.worker_broker,
            "online_store": self.settings.online_store,
            "state_dir": self.folder / name,
            "state_store": "rocksdb",
            "window_edge": "event",
            "partitions": self.settings.partitions,
            "session_timeout_s": SESSION_S,
            "heartbeat_interval_s": 0.3,
            "commit_interval_s": 0.3,
            "metrics_port": 0,
            "chaos_later": self._later,
            # Every text and every title is encoded: what a cache answers is never in flight.
            "embedding_cache_texts": 1,
            "cached_titles": 1,
        }
        chosen |= self._further | environment
        given = {f"WHEREWITHAL_{key.upper()}": str(value) for key, value in chosen.items()}
        log = self.folder / f"worker-{len(list(self.folder.glob('worker-*.log')))}.log"
        process = _launch(script or self._script, os.environ | given, log)
        worker = Worker(process, log)
        self.workers.append(worker)
        return worker

    async def let_hours_pass(self, worker: Worker) -> None:
        """Have whatever stands still in a worker stand still for hours, and wait until it has judged that."""
        self._later.touch()
        await until(lambda: worker.said("stalls are judged hours later"), PATIENCE_S, "the worker looks at itself")

    async def supervise(self, name: str, starts: int, **environment: object) -> None:
        """Keep a worker of that name running until cancelled, as a supervisor does.

        Raises:
            AssertionError: it ended after the last of so many starts.
        """
        for _ in range(starts):
            worker = self.start(name, **environment)
            while worker.process.poll() is None:
                await asyncio.sleep(POLL_S)
        raise AssertionError(f"{name} ended {starts} times: {self.tails()}")

    async def feed(self, lines: Sequence[dict[str, Any]], pause_s: float = 0.0) -> None:
        """Publish lines in chunks, with pauses that make the stream last."""
        arrivals = list(numbered(encoded(list(lines))))
        for start in range(0, len(arrivals), FEED_CHUNK):
            await self._feeder.feed(arrivals[start : start + FEED_CHUNK])
            await asyncio.sleep(pause_s)

    def ends(self, *topics: str) -> Ends:
        """Where the input (of these topics, of all by default) ends now."""
        return {key: end for key, end in self._feeder.ends.items() if not topics or key[0] in topics}

    async def behind(self, ends: Ends | None = None) -> int:
        """Records published (up to these ends) and not committed."""
        wanted = {
            TopicPartition(topic_name(self.settings, topic), number): end
            for (topic, number), end in (self.ends() if ends is None else ends).items()
        }
        return await self._left(self._consumer, wanted)

    async def items_behind(self) -> int:
        """Records of facts sent and not committed by the item stage."""
        topic = topic_name(self.settings, FACTS)
        partitions = [TopicPartition(topic, number) for number in range(self.settings.partitions)]
        return await self._left(self._item_consumer, await high_watermarks(self.settings, partitions))

    async def _left(self, consumer: Any, ends: Mapping[TopicPartition, int]) -> int:
        consumer.assign(list(ends))
        return sum([max(0, end - (await consumer.committed(tp) or 0)) for tp, end in ends.items()])

    async def drained(self, ends: Ends | None = None, within_s: float = PATIENCE_S) -> float:
        """Wait until all that was published (up to these ends) is committed; return how long it took (s)."""
        started = time.monotonic()
        while left := await self.behind(ends):
            waited = time.monotonic() - started
            assert waited < within_s, f"{left} records were not committed within {within_s:g} s: {self.tails()}"
            await asyncio.sleep(POLL_S)
        while self.settings.items and ends is None and (left := await self.items_behind()):
            waited = time.monotonic() - started
            assert waited < within_s, (
                f"{left} records of facts were not committed within {within_s:g} s: {self.tails()}"
            )
            await asyncio.sleep(POLL_S)
        return time.monotonic() - started

    async def corrected(self) -> None:
        """Wait until owners have written those again whose last record or state is one of a worker before them."""
        deadline = time.monotonic() + PATIENCE_S
        while left := await superseded(self.settings):
            assert time.monotonic() < deadline, f"{len(left)} keys were not written again: {self.tails()}"
            await asyncio.sleep(POLL_S)

    def tails(self) -> list[list[str]]:
        """The last words of every worker, for a failing test to show."""
        return [worker.last_lines() for worker in self.workers]

    async def read_back(self, users: Sequence[str]) -> Outcome:
        """Read what plain Feast serves of these users, and the last scores as a consumer keeps them."""
        served = await asyncio.to_thread(served_features, self.settings, self.folder / "feast", users)
        return Outcome({row["user_id"]: row for row in served}, await last_scores(self.settings))

    async def check(self, lines: Sequence[dict[str, Any]]) -> Outcome:
        """Assert that features, vectors, scores, capacity, items and logs are those of the reference."""
        outcome = await self.read_back(sorted(wanted_features(lines)))
        assert_reference(outcome, lines)
        assert_scores(self.settings, outcome.scores, lines)
        assert await assert_score_log(self.settings) >= len(outcome.scores)
        assert await assert_changelog(self.settings, lines) >= len(outcome.scores)
        if self.settings.capacity_artefact:
            await assert_capacity(self.settings, lines)
        if self.settings.items:
            await self.check_items(lines)
        return outcome

    async def check_items(self, lines: Sequence[dict[str, Any]]) -> None:
        """Assert that rows, signals and states of items are those of the reference, once their titles are read."""
        wanted = wanted_items(lines)
        deadline = time.monotonic() + PATIENCE_S
        served = await self.served_items(sorted(wanted))
        while any(map(partial(_waits_for_title, served), wanted.items())) and time.monotonic() < deadline:
            await asyncio.sleep(POLL_S)
            served = await self.served_items(sorted(wanted))
        assert_rows(served, wanted)
        assert await assert_signals(self.settings, wanted) >= len(wanted)
        assert await assert_item_changelog(self.settings, wanted) >= len(wanted)

    async def served_items(self, item_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Read what plain Feast serves of these items."""
        return await asyncio.to_thread(served_items, self.settings, self.folder / "feast", item_ids)


def _waits_for_title(served: Rows, wanted: tuple[str, Mapping[str, Any]]) -> bool:
    """Whether the vector of a title is all that an item lacks: nothing else waits for it, offsets least of all."""
    item_id, fields = wanted
    return item_id in served and differing(served[item_id], fields).keys() == {VECTOR}


def distinct_texts(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same lines with no two texts alike, so that no embedding is known beforehand."""
    changed = []
    for line in lines:
        value = line["value"]
        for name in ("text", "query", "title"):
            if value.get(name):
                value = value | {name: f"{value[name]} {value['event_id'][1:]}"}
        changed.append(line | {"value": value})
    return changed
