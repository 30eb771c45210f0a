"""Times ahead of the worker's clock are counted and told of, and change no verdict."""

from __future__ import annotations

import logging
import time
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from support.encoders import HashEncoder
from support.runs import quick_settings
from support.shoppers import arriving

from features.tiles import HOUR
from streams.cli.replay import feed
from streams.operating.drain import Drain
from streams.records.decoder import Decoder
from streams.settings import load_settings
from streams.telemetry.metrics import Metrics
from streams.worker.applying.clock_steps import TOLERANCE_MS
from streams.worker.flow import Flow
from streams.worker.users.future_times import NEWS_S, FutureTimes

NOW = 1_764_000_000_000


def click(timestamp: int, name: str = "1") -> dict[str, Any]:
    return {"event_id": name, "user_id": "u", "item_id": "i", "action": "view", "timestamp": timestamp}


class Worker:
    def __init__(self) -> None:
        self.metrics = Metrics()
        self.running = 100.0
        self.future = FutureTimes(lambda: NOW, self.metrics, lambda: self.running)
        self.decoder = Decoder.of(load_settings())

    def take(self, *times: tuple[int, int]) -> None:
        """Take in clicks of these times, in records of these Kafka timestamps."""
        records: Any = [
            SimpleNamespace(key=b"u", value=orjson.dumps(click(at)), timestamp=kafka) for at, kafka in times
        ]
        self.future.look("clicks", records, self.decoder.decode_all("clicks", records))

    def counted(self, what: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"wherewithal_{what}_ahead_total", {"topic": "clicks"})


def test_what_is_ahead_by_more_than_the_tolerance_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    worker = Worker()
    limit = NOW + TOLERANCE_MS
    worker.take((NOW, NOW), (limit, limit))
    assert (worker.counted("events"), worker.counted("records")) == (None, None)
    # The last one is a dead letter: further ahead than its own record allows.
    worker.take((limit + 1, NOW), (NOW, limit + 1), (NOW + 23 * HOUR, limit + 2), (NOW + 25 * HOUR, NOW))
    assert (worker.counted("events"), worker.counted("records")) == (2, 2)


def test_the_log_tells_at_most_every_so_often_how_many_there_were(caplog: pytest.LogCaptureFixture) -> None:
    worker = Worker()
    with caplog.at_level(logging.WARNING, logger="wherewithal"):
        for _ in range(3):
            worker.take((NOW + HOUR, NOW), (NOW, NOW + 2 * HOUR))
        worker.running += NEWS_S
        worker.take((NOW + HOUR, NOW))
    told = [record.fields for record in caplog.records]  # type: ignore[attr-defined]
    assert told == [
        {"topic": "clicks", "records": 1, "events": 1, "furthest_s": 7200},
        {"topic": "clicks", "records": 2, "events": 3, "furthest_s": 7200},
    ]


def test_how_far_ahead_of_its_record_an_event_may_be_is_a_setting() -> None:
    decoder = Decoder.of(load_settings(future_tolerance_h=0.5))
    verdicts = [
        type(decoder.decode("clicks", b"u", orjson.dumps(click(NOW + ahead)), NOW)).__name__
        for ahead in (HOUR // 2, HOUR // 2 + 1)
    ]
    assert verdicts == ["Click", "Rejection"]


async def test_a_phone_that_is_23_hours_ahead_is_counted_while_its_event_is_applied(tmp_path):
    now = int(time.time() * 1000)
    settings = quick_settings(tmp_path, partitions=1)
    async with Flow(settings, encoder=HashEncoder()) as flow:
        drain = Drain(flow, 100)
        values = [click(now + 23 * HOUR, "fast"), click(now, "right")]
        feeder = await feed(flow, drain, arriving([{"topic": "clicks", "value": value} for value in values]))
        await drain.drained(feeder.ends)
        found = flow.metrics.registry.get_sample_value("wherewithal_events_ahead_total", {"topic": "clicks"})
        assert found == 1
        assert flow.tally.fates["applied"] == 2
