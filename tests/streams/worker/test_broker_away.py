"""A broker that is away, as an operator reads it in the log of a worker: no crash, one line of what is wrong."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from chaos.harness import Cluster, Worker, until
from chaos.servers import BrokerBehindProxy
from support.command import refused, run
from support.patience import PATIENCE_S
from support.servers.kafka import Kafka, kafka_libraries
from support.servers.ports import reserve_port
from support.servers.proxy import Proxy
from support.shoppers import random_lines

from streams.brevity import ASKED_AGAIN, ASKED_AGAIN_S, REPEAT_S

AWAY = "the broker does not answer, waiting for it"
BACK = "the broker answers again"
CRASHING = re.compile(r"traceback|critical|crash|exception\b|dead\b|fatal", re.IGNORECASE)


class Outage(NamedTuple):
    """A broker that can be taken away: what workers name, and how it goes and comes back."""

    url: str
    go: Callable[[], Awaitable[object]]
    come_back: Callable[[], object]


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[Outage]:
    """The embedded broker keeps nothing across a restart: it stays, and nobody reaches it."""
    async with Proxy() as proxy:
        server = BrokerBehindProxy(proxy.port)
        proxy.upstream = server.port
        yield Outage(f"kafka://127.0.0.1:{proxy.port}", proxy.refuse, proxy.restore)
        server.stop()


@asynccontextmanager
async def apache_kafka(folder: Path) -> AsyncIterator[Outage]:
    kafka_libraries()
    with Kafka(folder / "kafka") as kafka:

        async def kill() -> None:
            kafka.kill(1)

        yield Outage(kafka.url, kill, kafka.start)


def assert_calm(worker: Worker) -> None:
    """Assert that neither the log nor what stands beside it speaks of a crash, and that libraries say little."""
    assert worker.plain_lines() == []
    for entry in worker.entries():
        assert entry["level"] in {"info", "warning"}, entry
        # What a client of the broker said is quoted, once a minute.
        told = {name: value for name, value in entry.items() if name != "said"}
        assert not CRASHING.search(str(told)), entry
    said: dict[str, datetime] = {}
    for entry in worker.entries():
        if entry["logger"] != "wherewithal":
            message, now = entry["message"], datetime.fromisoformat(entry["time"])
            # The outage lasts as long as the machine takes for it. Times are cut to the millisecond.
            pause = timedelta(seconds=ASKED_AGAIN_S if message == ASKED_AGAIN else REPEAT_S, milliseconds=-1)
            assert message not in said or now - said[message] >= pause, entry
            said[message] = now
    assert len(said) <= 2, said


@pytest.mark.parametrize("broker_of", [embedded, apache_kafka])
async def test_a_broker_that_goes_and_comes_back_is_waited_for_without_a_word_of_a_crash(
    tmp_path: Path, broker_of: Callable[[Path], AsyncIterator[Outage]]
) -> None:
    lines = random_lines(seed=21, events=400, users=40)
    async with broker_of(tmp_path) as outage:  # type: ignore[attr-defined]
        cluster = await Cluster(tmp_path, outage.url).open()
        try:
            worker = await cluster.start(status_interval_s=0.5).ready()
            await cluster.feed(lines[:200])
            await outage.go()
            await until(lambda: worker.said(AWAY), PATIENCE_S, "the outage is told")
            status, reasons = await worker.get("/readyz")
            assert (status, reasons.splitlines()[0]) == (503, "the broker does not answer")
            assert (await worker.get("/livez"))[0] == 200
            await until(
                lambda: any("the broker does not answer" in line.get("waiting_for", ()) for line in worker.entries()),
                PATIENCE_S,
                "the status tells it too",
            )
            outage.come_back()
            await until(lambda: worker.said(BACK), PATIENCE_S, "its end is told")
            await cluster.feed(lines[200:])
            await cluster.drained()
            await worker.stop()
            assert_calm(worker)
            told = [entry["message"] for entry in worker.entries() if entry["message"] in {AWAY, BACK}]
            # A broker that has just come back may keep a busy machine waiting once more.
            assert told == [AWAY, BACK] * (len(told) // 2)
        finally:
            await cluster.close()


def test_a_worker_without_a_broker_at_its_address_says_so_in_one_line(tmp_path: Path) -> None:
    address = f"127.0.0.1:{reserve_port()}"
    told: list[str] = []

    def worker(*words: object, **changes: str | None) -> tuple[int, str, str]:
        code, out, err = run(*words, folder=tmp_path, **changes)
        told.extend(line for line in err.splitlines() if line.startswith("{"))
        return code, out, "".join(f"{line}\n" for line in err.splitlines() if not line.startswith("{"))

    line = refused(1, "worker", by=worker, WHEREWITHAL_BROKER=f"kafka://{address}", WHEREWITHAL_METRICS_PORT="0")
    assert line == (
        f"wherewithal worker: the broker at {address} refuses connections: check WHEREWITHAL_BROKER and that the "
        "broker runs"
    )
    assert not [entry for entry in told if CRASHING.search(entry) or '"level": "error"' in entry]
