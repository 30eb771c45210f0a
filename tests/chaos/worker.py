"""`wherewithal worker` with faults of its own: a script, or the work of a process that is forked.

What goes wrong is chosen by the environment:
    WHEREWITHAL_CHAOS_ENCODER  `slow:SECONDS` a batch; `raises:FILE`, `hangs:FILE`, `memory:FILE` while FILE exists
    WHEREWITHAL_CHAOS_KILL     `POINT:N`, SIGKILL at the Nth passage of a point
    WHEREWITHAL_CHAOS_SUSPEND  `POINT:N`, SIGSTOP at the Nth passage of a point
    WHEREWITHAL_CHAOS_HANG     `POINT:N`, wait for ever from the Nth passage of a point on
    WHEREWITHAL_CHAOS_REJOIN   `TIMES:SECONDS`, leave the partitions and join again so often, about so far apart
    WHEREWITHAL_CHAOS_TAKEOVER `SECONDS` that a take-over waits for the broker, at the most
    WHEREWITHAL_CHAOS_REWIND   if set, every commit is one of offset 0
    WHEREWITHAL_CHAOS_LATER    `FILE`: once it exists, whatever stands still has done so for hours
Points of the users' stage: before-facts, after-facts, before-changelog, after-changelog, after-state, before-score,
after-score, before-online, after-online, before-title, after-title (a title that waited is taken in), before-commit,
after-commit. Of the items' stage: the same with item- before them, without facts, and with signal in place of score.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from threading import Lock, get_ident
from typing import Any

import numpy as np
from numpy.typing import NDArray
from support.encoders import HashEncoder

import streams.cli.worker as command
from features.online.rows import ItemRow
from streams.broker.embedded import _die_with_parent
from streams.broker.publisher import Publisher, Sent, Written
from streams.cli.common.stopping import leave
from streams.cli.main import main
from streams.log import log
from streams.worker import engine
from streams.worker.consuming.consumer_thread import BatchConsumerThread
from streams.worker.flow import Flow
from streams.worker.items.item_partition import ItemPartition
from streams.worker.monitor import Monitor
from streams.worker.publishing.online_writer import OnlineWriter
from streams.worker.stages.stage import Stage
from streams.worker.state.local_store import MemoryStore, RocksStore
from streams.worker.users.user_partition import UserPartition

SMALL_BATCH = 4
"""Texts that fit into the memory of the encoder that runs out of it."""

POLL_S = 0.05

HOURS_S = 6 * 3600.0


class SlowEncoder(HashEncoder):
    """Takes its time over every batch."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def embed(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        time.sleep(self._seconds)
        return super().embed(batch)


class FaultyEncoder(HashEncoder):
    """Does what its kind says while a file exists."""

    def __init__(self, kind: str, switch: Path) -> None:
        self._kind = kind
        self._switch = switch

    def embed(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        while self._kind == "hangs" and self._switch.exists():
            time.sleep(POLL_S)
        if self._switch.exists():
            if self._kind == "raises":
                raise RuntimeError("the encoder is broken")
            if self._kind == "memory" and len(batch) > SMALL_BATCH:
                raise MemoryError("the batch is too large")
        return super().embed(batch)


class Fault:
    """Strikes at the Nth passage of its point."""

    def __init__(self, description: str) -> None:
        self.point, _, passages = description.partition(":")
        self._nth = int(passages or 1)
        self._passages = 0
        self._lock = Lock()

    def passages_over(self, point: str) -> int:
        """Count a passage; return by how many the Nth is passed: 1 the first time it strikes."""
        if point != self.point:
            return 0
        with self._lock:
            self._passages += 1
            return max(0, self._passages - self._nth + 1)


SENT = {
    "item-facts": "facts",
    "users-changelog": "changelog",
    "items-changelog": "item-changelog",
    "item-signals": "item-signal",
}
"""What is sent to a topic whose name ends so; to any other it is a score."""


class Points:
    """The places where faults strike."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._rewind = "WHEREWITHAL_CHAOS_REWIND" in environment
        self._kill = Fault(environment.get("WHEREWITHAL_CHAOS_KILL", ""))
        self._suspend = Fault(environment.get("WHEREWITHAL_CHAOS_SUSPEND", ""))
        self._hang = Fault(environment.get("WHEREWITHAL_CHAOS_HANG", ""))
        self._writing_rows = Lock()

    def passed(self, point: str) -> None:
        if self._kill.passages_over(point):
            os.kill(os.getpid(), signal.SIGKILL)
        if self._suspend.passages_over(point) == 1:
            # A process that is stopped while it writes into SQLite keeps every other one from writing there.
            with self._writing_rows:
                # Sent to the process, it would stop another thread first, and this one might go on past the point.
                signal.pthread_kill(get_ident(), signal.SIGSTOP)

    async def passed_waiting(self, point: str) -> None:
        self.passed(point)
        if self._hang.passages_over(point):
            await asyncio.Event().wait()

    def install(self) -> None:
        """Put the points around the methods that they are named for."""
        self._around_publisher()
        self._around_stores()
        self._around_titles()
        self._around_commit()

    def _around_publisher(self) -> None:
        points, send = self, Publisher.send

        class Watched(Sent):
            async def acknowledged(self) -> Written:
                written = await super().acknowledged()
                await points.passed_waiting(self.point)
                return written

        async def watched(publisher: Publisher, topic: str, partition: int, records: Any) -> Sent:
            kind = next((kind for end, kind in SENT.items() if topic.endswith(end)), "score")
            await points.passed_waiting(f"before-{kind}")
            sent = Watched(*await send(publisher, topic, partition, records))
            sent.point = f"after-{kind}"
            return sent

        Publisher.send = watched

    def _around_stores(self) -> None:
        for kind in (MemoryStore, RocksStore):
            kind.write = self._between(kind.write, _state_written)
        OnlineWriter._write = self._between(OnlineWriter._write, _rows_written, self._writing_rows)

    def _between(self, method: Any, place_of: Callable[..., str | None], lock: Any = None) -> Any:
        def watched(*args: Any) -> Any:
            place = place_of(*args)
            if place is None:
                return method(*args)
            self.passed(f"before-{place}")
            with lock or nullcontext():
                result = method(*args)
            self.passed(f"after-{place}")
            return result

        return watched

    def _around_titles(self) -> None:
        UserPartition.read_title = self._between(UserPartition.read_title, lambda *_: "title")
        ItemPartition.read_title = self._between(ItemPartition.read_title, lambda *_: "item-title")

    def _around_commit(self) -> None:
        commit = BatchConsumerThread.commit

        async def watched(thread: BatchConsumerThread, offsets: Any) -> bool:
            of_items = any(tp.topic.endswith("item-facts") for tp in offsets)
            place = "item-commit" if of_items else "commit"
            await self.passed_waiting(f"before-{place}")
            done: bool = await commit(thread, dict.fromkeys(offsets, 0) if self._rewind else offsets)
            await self.passed_waiting(f"after-{place}")
            return done

        BatchConsumerThread.commit = watched


def _state_written(store: Any, _partition: int, states: Mapping[bytes, bytes], *_: Any) -> str | None:
    """How far a store is, without a state, is no point: a take-over writes that, and a recovery."""
    if not states:
        return None
    return "item-state" if store.table_name == "items" else "state"


def _rows_written(_writer: OnlineWriter, rows: Sequence[Any]) -> str:
    return "item-online" if isinstance(rows[0], ItemRow) else "online"


class RestlessFlow(Flow):
    """Joins the groups of its stages again and again, as often as the environment says."""

    async def _join(self, equipping: asyncio.Task[None]) -> None:
        await super()._join(equipping)
        times, _, seconds = os.environ.get("WHEREWITHAL_CHAOS_REJOIN", "0:0").partition(":")
        rejoining = asyncio.create_task(self._rejoin(int(times), float(seconds)))

        async def settle_down() -> None:
            rejoining.cancel()

        self._closing.add("rejoining", settle_down)

    async def _rejoin(self, times: int, seconds: float) -> None:
        for _ in range(times):
            await asyncio.sleep(random.uniform(0.5, 1.5) * seconds)
            for stage in self.stages:
                stage.app.consumer.rejoin()
        log.info("rejoins no more")


def slow_take_overs(seconds: float) -> None:
    """Have every take-over wait for the broker for a while."""
    check = engine.check_logs

    async def check_slowly(*arguments: Any) -> Any:
        await asyncio.sleep(random.uniform(0.0, seconds))
        return await check(*arguments)

    engine.check_logs = check_slowly


class HurriedMonitor(Monitor):
    """Finds, once a file exists, that whatever stands still has done so for hours.

    Heartbeats and recoveries are not judged from then on: a worker that is held up for a moment is without them.
    """

    def __init__(self, flow: Flow, stall_s: float, **further: Any) -> None:
        self._later = Path(os.environ.get("WHEREWITHAL_CHAOS_LATER", ""))
        self._ahead_s = 0.0
        super().__init__(flow, stall_s, self._now, **further)

    def _now(self) -> float:
        return time.monotonic() + self._ahead_s

    async def look(self) -> None:
        hours_pass = not self._ahead_s and self._later.is_file()
        if hours_pass:
            self._ahead_s = HOURS_S
        await super().look()
        if hours_pass:
            log.info("stalls are judged hours later")

    def _judge_recovery(self, stage: Stage) -> None:
        if not self._ahead_s:
            super()._judge_recovery(stage)

    def _judge_group(self, stage: Stage) -> None:
        if not self._ahead_s:
            super()._judge_group(stage)


def chosen_encoder(description: str) -> HashEncoder:
    """Return the encoder that the environment asks for; all of them agree on every vector."""
    kind, _, argument = description.partition(":")
    if kind == "slow":
        return SlowEncoder(float(argument))
    return FaultyEncoder(kind, Path(argument)) if kind else HashEncoder()


def work() -> None:
    """Be the worker that the environment asks for."""
    Points(os.environ).install()
    slow_take_overs(float(os.environ.get("WHEREWITHAL_CHAOS_TAKEOVER", 0)))
    command.Monitor = HurriedMonitor
    command.Flow = partial(RestlessFlow, encoder=chosen_encoder(os.environ.get("WHEREWITHAL_CHAOS_ENCODER", "")))
    leave(main(["worker"]))


if __name__ == "__main__":
    if sys.platform == "linux":
        _die_with_parent()
    work()
