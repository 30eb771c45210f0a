"""The metrics: their numbers, their names, and what a running flow shows."""

from __future__ import annotations

import asyncio
import re
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from support.encoders import HashEncoder
from support.patience import PATIENCE_S
from support.runs import quick_settings
from support.shoppers import arriving, random_lines
from support.stores import BlockingStore

from features.online import open_online_store
from streams.cli.replay import LEAD_RECORDS, feed
from streams.operating.drain import Drain
from streams.settings import load_settings
from streams.telemetry.metrics import LATENCY_BUCKETS_S, BatchHistogram, Metrics
from streams.telemetry.server import Server
from streams.telemetry.tally import Fate, Tally
from streams.worker import monitor as monitor_module
from streams.worker.flow import Flow
from streams.worker.monitor import Monitor
from streams.worker.stages import stores

UNITS = (
    "total",
    "seconds",
    "bytes",
    "tokens",
    "texts",
    "titles",
    "keys",
    "messages",
    "users",
    "items",
    "info",
    "difference",
    "psi",
)
YES_OR_NO = {"wherewithal_ready", "wherewithal_degraded", "wherewithal_clicks_paused"}

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def series(text: str) -> Series:
    """Every sample of an exposition, by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def exposition(registry: CollectorRegistry) -> str:
    return generate_latest(registry).decode()


OBSERVATIONS = st.lists(
    st.floats(0, 4000, allow_nan=False) | st.sampled_from(LATENCY_BUCKETS_S) | st.floats(0, 0.02), max_size=30
)


@given(st.lists(OBSERVATIONS, max_size=5))
def test_a_batch_histogram_counts_as_prometheus_own_does(batches: list[list[float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    batched = BatchHistogram("a_seconds", "text", LATENCY_BUCKETS_S)
    ours.register(batched)
    single = Histogram("a_seconds", "text", buckets=LATENCY_BUCKETS_S, registry=theirs)
    for batch in batches:
        batched.observe(batch)
        for value in batch:
            single.observe(value)
    expected, found = series(exposition(theirs)), series(exposition(ours))
    total = ("a_seconds_sum", frozenset[tuple[str, str]]())
    assert found.pop(total) == pytest.approx(expected.pop(total), rel=1e-12, abs=1e-12)
    assert found == expected


def test_every_name_says_whose_it_is_and_in_which_unit() -> None:
    libraries = ("process_", "python_")
    families = [one for one in Metrics().registry.collect() if not one.name.startswith(libraries)]
    assert families
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert re.fullmatch("wherewithal_[a-z]+(_[a-z]+)*", name)
        assert name.endswith(UNITS) or name in YES_OR_NO, name
        assert family.documentation


def test_every_series_that_is_shown_is_among_the_names() -> None:
    metrics = Metrics()
    metrics.events.labels("clicks", "applied").inc()
    metrics.dead_letters.labels("invalid").inc()
    metrics.model.labels("s", "e").set(1)
    shown = {name for name, _ in series(exposition(metrics.registry))}
    assert shown <= metrics.names()


def test_the_process_shows_its_processor_its_memory_and_its_files() -> None:
    registry = Metrics().registry
    for name in ("cpu_seconds_total", "resident_memory_bytes", "open_fds", "max_fds", "start_time_seconds"):
        assert (registry.get_sample_value(f"process_{name}") or 0) > 0


def test_two_workers_in_one_process_do_not_share_their_numbers() -> None:
    one, other = Metrics(), Metrics()
    one.scores.inc()
    assert other.registry.get_sample_value("wherewithal_scores_total") == 0


def value_of(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"wherewithal_{name}", labels)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20), st.sampled_from(Fate)), max_size=40))
def test_a_record_is_counted_once_however_often_it_is_delivered(deliveries: list[tuple[int, int, Fate]]) -> None:
    metrics = Metrics()
    tally = Tally(metrics, keep_latencies=False)
    counted: dict[int, int] = {}
    expected = 0
    for partition, offset, fate in deliveries:
        tally.count("clicks", partition, offset, fate)
        if offset > counted.get(partition, -1):
            counted[partition] = offset
            expected += 1
    assert tally.fates.total() == expected
    shown = [value_of(metrics, "events_total", topic="clicks", outcome=fate.value) or 0 for fate in Fate]
    assert sum(shown) == expected


def test_latencies_of_nothing_are_none() -> None:
    tally = Tally(Metrics(), keep_latencies=True)
    tally.scored([], 0)
    assert tally.latency_percentiles() == {"p50": None, "p95": None, "p99": None}


def test_latencies_since_a_moment_leave_out_those_before() -> None:
    tally = Tally(Metrics(), keep_latencies=True)
    now = time.time() * 1000
    tally.scored([int(now) - 3_600_000] * 5, scores=5)
    begun = tally.latencies
    assert begun == 5
    assert tally.latency_percentiles(begun) == {"p50": None, "p95": None, "p99": None}
    tally.scored([int(now)], scores=1)
    live, all_of_them = tally.latency_percentiles(begun)["p99"], tally.latency_percentiles()["p50"]
    assert live is not None
    assert all_of_them is not None
    assert live < 3_600_000 <= all_of_them


def total(found: Series, name: str, **labels: str) -> float:
    """The sum over all series of a name that have these labels."""
    wanted = set(labels.items())
    return sum(value for (series_name, tags), value in found.items() if series_name == name and wanted <= tags)


def labels_of(found: Series, name: str) -> Sequence[dict[str, str]]:
    return [dict(tags) for series_name, tags in found if series_name == name]


async def scrape(port: int) -> Series:
    def get() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_S) as answer:
            body: bytes = answer.read()
            return body.decode()

    return series(await asyncio.to_thread(get))


async def scraped(port: int, reached: Callable[[Series], bool]) -> Series:
    """Scrape until what is shown has reached a condition."""
    async with asyncio.timeout(PATIENCE_S):
        while not reached(found := await scrape(port)):
            await asyncio.sleep(0.02)
    return found


@pytest.mark.usefixtures("broker")
async def test_a_running_flow_shows_what_it_does_and_how_far_behind_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor_module, "INTERVAL_S", 0.05)
    settings = quick_settings(tmp_path)
    store = BlockingStore(open_online_store(settings.online_url))
    monkeypatch.setattr(stores, "open_online_store", lambda url, **__: store)
    lines = random_lines(seed=4, events=400, users=20)
    users = len({line["value"]["user_id"] for line in lines})
    lines.append({"topic": "clicks", "value": {"user_id": "u", "nothing": "else"}})
    flow: Any = Flow(settings, encoder=HashEncoder())
    monitor = Monitor(flow, stall_s=3600)
    server = Server(load_settings(metrics_port=0), flow.metrics, monitor.live, monitor.ready)
    server.start()
    watching = asyncio.create_task(monitor.run())
    try:
        assert total(await scrape(server.port), "wherewithal_ready") == 0
        async with flow:
            try:
                drain = Drain(flow, LEAD_RECORDS)
                feeder = await feed(flow, drain, arriving(lines))
                # Both: before the first record is taken in, all of them wait and none has an age.
                behind = await scraped(
                    server.port,
                    lambda found: (
                        total(found, "wherewithal_consumer_lag_messages") == len(lines)
                        and total(found, "wherewithal_consumer_lag_seconds") > 0
                    ),
                )
                assert total(behind, "wherewithal_ready") == 1
            finally:
                store.released.set()
            await asyncio.wait_for(drain.drained(feeder.ends), PATIENCE_S)
            found = await scraped(
                server.port,
                lambda found: (
                    total(found, "wherewithal_consumer_lag_messages") == 0
                    and total(found, "wherewithal_events_total") == len(lines)
                ),
            )
            assert total(found, "wherewithal_events_total", outcome="applied") == 400
            assert total(found, "wherewithal_events_total", outcome="duplicate") == len(lines) - 401
            assert total(found, "wherewithal_events_total", outcome="dead_letter") == 1
            assert total(found, "wherewithal_dead_letters_total", reason="invalid") == 1
            assert total(found, "wherewithal_scores_total") == flow.tally.scores_out >= users
            assert total(found, "wherewithal_event_to_score_seconds_count") == 400
            assert total(found, "wherewithal_event_to_features_seconds_count") == 400
            assert total(found, "wherewithal_online_rows_total") >= users
            assert total(found, "wherewithal_table_bytes") > 0
            assert total(found, "wherewithal_encoder_texts_total") > 0
            assert total(found, "wherewithal_model_info") == 1
            (model,) = labels_of(found, "wherewithal_model_info")
            assert model["encoder"] == flow.inference.encoder
            assert model["scorer"] == flow.inference.artefact.version
            assert total(found, "wherewithal_degraded") == 1, "no artefact was fitted for the encoder of this test"
            assert {"topic": "clicks", "partition": "0"} in labels_of(found, "wherewithal_consumer_lag_messages")
            assert not any("user" in tags for _, tags in found), "a user id is no label"
        assert total(await scrape(server.port), "wherewithal_ready") == 0
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        server.stop()
