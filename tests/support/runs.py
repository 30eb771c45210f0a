"""Running the whole flow in a test, and reading back all it published."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.encoder.bert import Encoder
from streams.cli.replay import LEAD_RECORDS, feed
from streams.operating.drain import Drain
from streams.operating.read_back import Scores, dead_letters, known_users, last_scores
from streams.operating.summary import Summary, summarise
from streams.settings import Settings, StateStore, WindowEdge, load_settings
from streams.sources.reading import numbered
from streams.worker.flow import Flow
from support.encoders import HashEncoder
from support.plain_feast import served_features
from support.servers.brokers import another_prefix
from support.shoppers import encoded


@dataclass(frozen=True)
class Run:
    """What a flow made of its input."""

    summary: Summary
    scores: Scores
    letters: list[dict[str, Any]]
    features: dict[str, dict[str, Any]]


def quick_settings(folder: Path, **overrides: Any) -> Settings:
    """Settings of a flow that starts fast and keeps everything under a folder.

    With `broker=broker.url` its topics are those of the test, as of every other flow that names the broker so. Without,
    it has topics of its own on that broker.
    """
    chosen = {
        "state_dir": folder,
        "state_store": StateStore.MEMORY,
        "window_edge": WindowEdge.EVENT,
        "session_timeout_s": 3.0,
        "heartbeat_interval_s": 0.2,
        "commit_interval_s": 0.2,
        "partitions": 3,
    }
    if "broker" not in overrides:
        chosen["topic_prefix"] = another_prefix()
    return load_settings(**(chosen | overrides))


async def run_flow(
    settings: Settings,
    lines: Iterable[tuple[int, bytes]],
    *,
    encoder: Encoder | None = None,
    as_of: int | None = None,
) -> Run:
    """Start a flow, feed it, drain it, and read back what it published and serves."""
    async with Flow(settings, encoder=encoder or HashEncoder(), keep_latencies=True) as flow:
        flow.as_of = as_of
        drain = Drain(flow, LEAD_RECORDS)
        feeder = await feed(flow, drain, numbered(lines))
        await drain.drained(feeder.ends)
        return await read_back(flow, summarise(flow, feeder, 1.0))


async def work(flow: Flow, lines: list[dict[str, Any]]) -> None:
    """Feed a started flow, and wait until all is settled."""
    drain = Drain(flow, LEAD_RECORDS)
    feeder = await feed(flow, drain, numbered(encoded(lines)))
    await drain.drained(feeder.ends)


async def read_back(flow: Flow, summary: Summary) -> Run:
    """Read what a drained flow published and serves."""
    folder = flow.settings.state_dir / "feast"
    served = await asyncio.to_thread(served_features, flow.settings, folder, known_users(flow))
    return Run(
        summary,
        await last_scores(flow.settings),
        await dead_letters(flow.settings),
        {row["user_id"]: row for row in served},
    )
