"""The rows that the shipped scorer is fitted on: real orders of half the customers, and simulated behaviour.

Each row is a customer at an instant, with the features of everything up to it, folded by the serving code, and the
money the customer really spent in the 30 days after it. The instants are those at which scores are served: regular
ones, on which quiet customers are scored too, and those of purchases and reviews, where the short windows are not
empty. The instants of searches and views are left out. The simulator places them before an order because the order
comes, so a row in the middle of a visit would teach the scorer only the simulator.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import orjson
from numpy.typing import NDArray

from features.observation import Observation
from features.point_in_time import snapshots
from features.row import Value
from models.batching.batcher import MicroBatcher
from models.encoder.bert import Encoder
from models.profile import Projection
from models.text.cleaning import clean
from models.text.noise import is_noisy
from streams.contract import HORIZON
from streams.exceptions import ConfigurationError
from streams.inference.loading import identify
from streams.inference.text_reader import TextReader
from streams.offline.sample.cdnow import PERIOD_END, Order
from streams.offline.sample.simulator import CATEGORIES, simulate
from streams.records.decoder import Decoder
from streams.records.events import Click, Erasure, Event, Review, text_of
from streams.records.ndjson import RejectedLine, parse_line
from streams.records.observer import NOTHING_READ, Observer, Reading
from streams.records.rejection import Rejection

CUT_OFFS = tuple(PERIOD_END - HORIZON * months for months in range(16, 0, -1))
"""Every 30 days, from the second month of the data to the last instant with a full horizon after it."""


@dataclass(frozen=True)
class TrainingSet:
    """Rows of features and the spend after them.

    Attributes:
        scalars: n rows in the order of `features.catalogue.SCALARS`.
        profiles: float32[n, 64].
        money: float64[n], spent in the 30 days after the instant.
        users: n customer ids.
        instants: int64[n], T in ms.
        regular: bool[n], whether the instant is one of `CUT_OFFS`: those rows are the reference population.
        projection: P, fitted on the distinct texts.
        encoder: the identity of the encoder with that P.
    """

    scalars: list[tuple[Value, ...]]
    profiles: NDArray[np.float32]
    money: NDArray[np.float64]
    users: list[str]
    instants: NDArray[np.int64]
    regular: NDArray[np.bool_]
    projection: Projection
    encoder: str


def training_set(orders: Sequence[Order], encoder: Encoder) -> TrainingSet:
    """Return the rows of the customers behind `orders`."""
    events = events_of(orders)
    projection, readings = asyncio.run(_read_all(events, encoder))
    identity = identify(encoder, projection)
    observer = Observer(CATEGORIES)
    own: defaultdict[str, list[Event]] = defaultdict(list)
    by_user: defaultdict[str, list[Observation]] = defaultdict(list)
    for offset, event in enumerate(events):
        reading = readings.get(text_of(event), NOTHING_READ)
        own[event.user_id].append(event)
        by_user[event.user_id].append(observer.observe(event, offset, reading))
    spent: defaultdict[str, list[Order]] = defaultdict(list)
    for order in orders:
        spent[order.customer_id].append(order)
    rows: list[tuple[Value, ...]] = []
    profiles, money, users, instants = [], [], [], []
    for user_id in sorted(by_user):
        for snapshot in snapshots(by_user[user_id], scored_instants(own[user_id]), identity):
            rows.append(snapshot.scalars)
            profiles.append(snapshot.profile)
            money.append(spend_after(spent[user_id], snapshot.instant))
            users.append(user_id)
            instants.append(snapshot.instant)
    return TrainingSet(
        scalars=rows,
        profiles=np.stack(profiles),
        money=np.array(money),
        users=users,
        instants=np.array(instants, dtype=np.int64),
        regular=np.isin(instants, CUT_OFFS),
        projection=projection,
        encoder=identity,
    )


def scored_instants(events: Iterable[Event]) -> list[int]:
    """Return the instants of a user's rows: every cut-off, and the user's purchases and reviews."""
    visits = {event.timestamp for event in events if _is_purchase_or_review(event)}
    return sorted(set(CUT_OFFS) | {instant for instant in visits if instant <= CUT_OFFS[-1]})


def spend_after(orders: Sequence[Order], instant: int) -> float:
    """Return the money spent in the 30 days after an instant (ms), exclusive of it."""
    return sum(order.dollars for order in orders if instant < order.timestamp <= instant + HORIZON)


def events_of(orders: Sequence[Order]) -> list[Event]:
    """Return the events that the simulator makes of orders, by time.

    Raises:
        ConfigurationError: the simulator made an invalid event.
    """
    decoder = Decoder()
    events: list[Event] = []
    for line in simulate(orders, faults=False):
        record = parse_line(orjson.dumps(line))
        if isinstance(record, RejectedLine):
            raise ConfigurationError(f"the simulator made a line that is no event: {record.rejection.detail}")
        event = decoder.decode(record.topic, record.key, record.value, PERIOD_END)
        if isinstance(event, Rejection | Erasure):
            raise ConfigurationError("the simulator made an event that is not valid: it must be mended")
        events.append(event)
    return sorted(events, key=lambda event: event.timestamp)


async def _read_all(events: Sequence[Event], encoder: Encoder) -> tuple[Projection, dict[str, Reading]]:
    """Fit P on the distinct texts that count, and read every text with it."""
    texts = sorted({text_of(event) for event in events} - {""})
    batcher = MicroBatcher(encoder, queue_texts=len(texts) + 1, cache_texts=len(texts) + 1)
    await batcher.start()
    try:
        cleaned = sorted({clean(text) for text in texts if not is_noisy(text)} - {""})
        projection = Projection.fit(await batcher.encode(cleaned))
        readings = await TextReader(batcher, projection).read(texts)
    finally:
        await batcher.stop()
    return projection, {
        text: reading for text, reading in zip(texts, readings, strict=True) if isinstance(reading, Reading)
    }


def _is_purchase_or_review(event: Event) -> bool:
    return isinstance(event, Review) or (isinstance(event, Click) and event.action == "purchase")
