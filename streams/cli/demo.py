"""`wherewithal demo`: the whole flow on bundled data, on one machine, in a minute or two."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console, ConsoleDimensions
from rich.text import Text

from features.tiles import DAY
from streams.broker.forced_end import at_forced_end
from streams.broker.publisher import Publisher
from streams.cli.common.arguments import new_file
from streams.cli.common.stopping import Stopper
from streams.cli.replay import STOP_S, local_settings
from streams.contract import HORIZON, ITEM_SIGNALS, SCORES
from streams.offline.sample.orders import CURRENCY, PERIOD_END, Order, demo_orders
from streams.offline.sample.simulator import simulate
from streams.offline.sample.training_set import of_customers, spend_after
from streams.operating.demo.choosing import choose
from streams.operating.demo.closing import SOLD, Outcome, show, show_essence
from streams.operating.demo.journey import days_of, records_of
from streams.operating.demo.movers import Movers
from streams.operating.demo.picture import picture
from streams.operating.demo.quality import quality_of
from streams.operating.demo.screen import Screen
from streams.operating.demo.stages import Stages
from streams.operating.demo.standing import Standing
from streams.operating.demo.stories import Story, story
from streams.operating.drain import Drain
from streams.operating.feeder import Feeder
from streams.operating.read_back import Scores, last_scores
from streams.operating.record_stream import follow_records
from streams.operating.summary import Summary, summarise
from streams.operating.top_records import top_records
from streams.settings import Settings
from streams.worker.flow import Flow

LEAD_RECORDS: Final = 2_000
"""A small lead: memory stays flat, and the screen shows what is settled and not what is merely published."""

LIVE_EVENTS: Final = 1_500
"""The last events, which are played at a pace."""

SELLERS: Final = 5
"""Items that the last page shows."""

CUT_OFF: Final = PERIOD_END - HORIZON
"""The instant of the scores that are compared with the real spend of the 30 days after it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `demo`."""
    parser.add_argument("--json", action="store_true", help="print only the summary, as one JSON object")
    parser.add_argument("--svg", type=new_file, metavar="FILE", help="write the stories as a picture as well")


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; return 0 if every event is accounted for."""
    console = _console(arguments.json)
    with Stopper("demo", STOP_S) as stopper, local_settings(stopper) as settings:
        forget = at_forced_end(partial(console.show_cursor, True))
        # The orders are in dollars, whatever a deployment's own currency is.
        priced = settings.model_copy(update={"currency": CURRENCY})
        summary, outcome = stopper.run(_demo(priced, console, arguments.json))
        forget()
    if arguments.json:
        print(orjson.dumps(summary.as_dict() | _beyond_the_account(outcome)).decode())
    else:
        show(console, outcome)
    if arguments.svg is not None:
        _write(arguments.svg, outcome)
    return 0 if summary.complete else 1


def _console(quiet: bool) -> Console:
    console = Console(stderr=quiet, highlight=False)
    if console.is_dumb_terminal:
        # Rich takes such a terminal for 80 columns wide, whatever it says.
        console.size = ConsoleDimensions(*shutil.get_terminal_size())
    return console


def _beyond_the_account(outcome: Outcome) -> dict[str, object]:
    return {
        "currency": outcome.currency,
        "live": asdict(outcome.live),
        "quality": asdict(outcome.quality),
        "stories": [told.as_dict() for told in outcome.stories],
    }


def _write(path: Path, outcome: Outcome) -> None:
    path.write_text(picture(lambda console: show_essence(console, outcome), "wherewithal demo"), encoding="utf-8")


async def _demo(settings: Settings, console: Console, quiet: bool) -> tuple[Summary, Outcome]:
    bought = demo_orders()
    lines = [(number, orjson.dumps(line)) for number, line in enumerate(simulate(bought), 1)]
    before = _until(lines, CUT_OFF)
    at_a_pace = max(before, len(lines) - LIVE_EVENTS)
    backlog, month, live = lines[:before], lines[before:at_a_pace], lines[at_a_pace:]
    by_customer = of_customers(bought)
    say = (lambda _: None) if quiet else (lambda what: console.print(Text(f"starting: {what}", style="dim")))
    async with Flow(settings, keep_latencies=True, progress=say) as flow:
        drain = Drain(flow, LEAD_RECORDS)
        publisher = Publisher(flow.settings)
        await publisher.start()
        feeder = Feeder(flow.settings, publisher, before_chunk=drain.hold_back, barrier=drain.drained)
        plain = quiet or not console.is_terminal or console.is_dumb_terminal
        screen = Screen(console, len(backlog) + len(month), len(live), settings.currency, plain)
        stages = Stages(flow, drain, feeder)
        try:
            with screen:
                async with _showing(stages, screen, quiet):
                    await stages.take_backlog(backlog)
                    then, stood = await _scores_as_of(flow, CUT_OFF), Standing.of(flow, CUT_OFF)
                    flow.as_of = None
                    await stages.take_backlog(month)
                    await stages.take_live(live)
        finally:
            await publisher.stop()
        summary = summarise(flow, feeder, stages.backlog_s + stages.live_s)
        now, stands = await _scores_as_of(flow, PERIOD_END), Standing.of(flow, PERIOD_END)
        outcome = Outcome(
            account=summary.account,
            items_account=summary.items_account,
            backlog_events=len(backlog) + len(month),
            backlog_seconds=stages.backlog_s,
            live=stages.live(len(live)),
            begin=CUT_OFF,
            end=PERIOD_END,
            currency=settings.currency,
            quality=quality_of(by_customer, then, CUT_OFF),
            stories=await _stories(flow.settings, by_customer, (then, now), (stood, stands)),
            scores=now,
            sellers=await _sellers(flow.settings),
        )
        return summary, outcome


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


async def _sellers(settings: Settings) -> list[dict[str, Any]]:
    """Return the newest records of the items that sold most, of those with an event in the last week."""
    if not settings.items:
        return []
    return await top_records(
        settings,
        ITEM_SIGNALS,
        SELLERS,
        lambda record: (record[SOLD],) if record["event_time"] > PERIOD_END - 7 * DAY else None,
    )


@asynccontextmanager
async def _showing(stages: Stages, screen: Screen, quiet: bool) -> AsyncIterator[None]:
    """Keep the screen current, and follow scores and signals as any consumer would."""

    async def refresh() -> None:
        while True:
            screen.show(stages.reading())
            await asyncio.sleep(0.25)

    async def follow(topic: str, movers: Movers) -> None:
        async for key, record in follow_records(stages.flow.settings, topic):
            movers.take(key, record)

    followed = {SCORES: screen.movers} | ({ITEM_SIGNALS: screen.items} if stages.flow.settings.items else {})
    work = () if quiet else (refresh(), *(follow(topic, movers) for topic, movers in followed.items()))
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if not quiet:
            screen.show(stages.reading(), last=True)


async def _stories(
    settings: Settings,
    by_customer: Mapping[str, Sequence[Order]],
    scores: tuple[Scores, Scores],
    standing: tuple[Standing, Standing],
) -> list[Story]:
    then, now = scores
    spent = {user: spend_after(by_customer[user], CUT_OFF) for user in then}
    chosen = choose(then, now, spent)
    records = await records_of(settings, chosen.values())
    return [
        story(
            role,
            user,
            (then[user], now[user]),
            standing,
            days_of(by_customer[user], records.get(user, []), CUT_OFF, PERIOD_END),
        )
        for role, user in chosen.items()
    ]
