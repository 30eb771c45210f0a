"""`wherewithal demo`: the whole flow on bundled data, on one machine, in a minute or two."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import orjson
from rich.console import Console
from rich.table import Table

from models.measures.spend import concordance, top_decile_share
from streams.broker.forced_end import at_forced_end
from streams.broker.publisher import Publisher
from streams.cli.replay import STOP_S, Summary, local_settings, print_summary, summarise
from streams.cli.stopping import Stopper
from streams.contract import HORIZON
from streams.offline.sample.cdnow import PERIOD_END, Order, orders
from streams.offline.sample.simulator import is_held_out, simulate
from streams.offline.sample.training_set import spend_after
from streams.operating.demo_screen import Reading, Screen
from streams.operating.drain import Drain
from streams.operating.feeder import Feeder
from streams.operating.read_back import Scores, last_scores
from streams.operating.score_stream import follow_scores
from streams.settings import Settings
from streams.telemetry.tally import Fate
from streams.terminal import literal
from streams.worker.flow import Flow

LEAD_RECORDS: Final = 2_000
"""A small lead, so that the latency shown is that of the flow, not of a queue that the demo itself made."""

CUT_OFF: Final = PERIOD_END - HORIZON
"""The instant of the scores that are compared with the real spend of the 30 days after it."""

SHOWN: Final = 10


@dataclass(frozen=True)
class Quality:
    """The agreement between scores and later spend, for customers on whom no scorer was trained.

    Attributes:
        customers: number of customers scored.
        buyers: number of them that bought in the 30 days after.
        concordance: share of pairs with different spend that the scores order rightly; 0.5 is chance.
        top_decile_share: share of the money spent by the tenth with the highest predictions.
        concordance_of_past_orders: the same for an order by the number of past orders.
    """

    customers: int
    buyers: int
    concordance: float
    top_decile_share: float
    concordance_of_past_orders: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `demo`."""
    parser.add_argument("--json", action="store_true", help="print only the summary, as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; return 0 if every event is accounted for."""
    console = Console(stderr=arguments.json)
    with Stopper("demo", STOP_S) as stopper, local_settings(stopper) as settings:
        forget = at_forced_end(partial(console.show_cursor, True))
        summary, quality, scores = stopper.run(_demo(settings, console, arguments.json))
        forget()
    if arguments.json:
        print(orjson.dumps(summary.as_dict() | {"quality": quality.__dict__}).decode())
    else:
        _conclude(console, summary, quality, scores)
    return 0 if summary.complete else 1


async def _demo(settings: Settings, console: Console, quiet: bool) -> tuple[Summary, Quality, Scores]:
    bought = orders()
    lines = [(number, orjson.dumps(line)) for number, line in enumerate(simulate(bought), 1)]
    before = _until(lines, CUT_OFF)
    say = (lambda _: None) if quiet else (lambda what: console.print(f"starting: {what}", style="dim"))
    async with Flow(settings, keep_latencies=True, progress=say) as flow:
        drain = Drain(flow, LEAD_RECORDS)
        publisher = Publisher(flow.settings)
        await publisher.start()
        feeder = Feeder(flow.settings, publisher, before_chunk=drain.hold_back, barrier=drain.drained)
        plain = quiet or not sys.stdout.isatty()
        screen = Screen(console, len(lines), plain)
        started = time.monotonic()
        try:
            with screen:
                async with _showing(flow, drain, feeder, screen, quiet):
                    await feeder.feed(lines[:before])
                    await drain.drained(feeder.ends)
                    at_cut_off = await _scores_as_of(flow, CUT_OFF)
                    flow.as_of = None
                    await feeder.feed(lines[before:])
                    await drain.drained(feeder.ends)
                    seconds = time.monotonic() - started
        finally:
            await publisher.stop()
        summary = summarise(flow, feeder, seconds)
        return summary, _quality(bought, at_cut_off), await _scores_as_of(flow, PERIOD_END)


def _until(lines: Sequence[tuple[int, bytes]], instant: int) -> int:
    """Return the position of the first purchase after an instant. Purchases are never late."""
    for position, (_, line) in enumerate(lines):
        value = orjson.loads(line).get("value", {})
        if value.get("action") == "purchase" and value.get("timestamp", 0) > instant:
            return position
    return len(lines)


async def _scores_as_of(flow: Flow, instant: int) -> Scores:
    """Publish every user again with features as of an instant, and read the scores back from their topic."""
    flow.as_of = instant
    for partition in flow.engine.partitions.values():
        partition.refresh()
    await flow.engine.held.settle()
    return await last_scores(flow.settings)


@asynccontextmanager
async def _showing(flow: Flow, drain: Drain, feeder: Feeder, screen: Screen, quiet: bool) -> AsyncIterator[None]:
    """Keep the screen current, and follow the score topic as any consumer would."""

    def reading() -> Reading:
        lag = drain.behind(feeder.ends)
        return Reading(
            settled=feeder.events - lag,
            lag=lag,
            scores=flow.tally.scores_out,
            texts=flow.engine.reader.encoded,
            dead_letters=flow.tally.fates[Fate.DEAD_LETTER] + feeder.rejected,
            latency_ms=flow.tally.latency_percentiles(),
        )

    async def refresh() -> None:
        while True:
            screen.show(reading())
            await asyncio.sleep(0.25)

    async def follow() -> None:
        async for user_id, score in follow_scores(flow.settings):
            screen.movers.take(user_id, score)

    tasks = [] if quiet else [asyncio.create_task(refresh()), asyncio.create_task(follow())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if not quiet:
            screen.show(reading(), last=True)


def _quality(bought: Iterable[Order], scores: Scores) -> Quality:
    by_customer: defaultdict[str, list[Order]] = defaultdict(list)
    for order in bought:
        by_customer[order.customer_id].append(order)
    held_out = [user_id for user_id in sorted(scores) if is_held_out(user_id)]
    actual = np.array([spend_after(by_customer[user_id], CUT_OFF) for user_id in held_out])
    predicted = np.array([scores[user_id]["prediction"] for user_id in held_out])
    past = np.array([sum(order.timestamp <= CUT_OFF for order in by_customer[user]) for user in held_out], float)
    return Quality(
        customers=len(held_out),
        buyers=int((actual > 0).sum()),
        concordance=round(float(concordance(actual, predicted)), 4),
        top_decile_share=round(float(top_decile_share(actual, predicted)), 4),
        concordance_of_past_orders=round(float(concordance(actual, past)), 4),
    )


def _conclude(console: Console, summary: Summary, quality: Quality, scores: Scores) -> None:
    table = Table(
        "user", "score", "tier", "expected spend, 30 d", "tags", "first reason", title="as of the end of the data"
    )
    best: list[dict[str, Any]] = sorted(scores.values(), key=lambda score: -score["score"])[:SHOWN]
    for score in best:
        reason = score["reasons"][0]
        table.add_row(
            literal(score["user_id"]),
            f"{score['score']:.1f}",
            score["tier"],
            f"{score['expected_spend']:.2f}",
            literal(", ".join(score["tags"])),
            f"{reason['feature']} {reason['contribution']:+.2f}",
        )
    console.print(table)
    print_summary(summary)
    print(
        f"Real: the {quality.customers:,} held-out customers' orders. As of 30 days before the end, the scorer, which "
        f"never saw these customers,\nordered {quality.concordance:.1%} of pairs by their later spend rightly "
        f"({quality.concordance_of_past_orders:.1%} by past orders alone); its top tenth held "
        f"{quality.top_decile_share:.0%} of the money.\nSimulated: every search, view and review; they know nothing of "
        "later spend.\nThe times hold what waits: events are published as fast as they are taken, and texts queue for "
        "BERT.\n\nNext: wherewithal replay FILE --features F --scores S, wherewithal --help, or "
        "docs/running.md for a real Kafka."
    )
