"""The rows that the shipped scorer is fitted on: real orders of half the customers, and simulated behaviour.

Each row is a customer at an instant, with the features of everything up to it, folded by the serving code, and the
money the customer really spent in the 30 days after it. The instants are those at which scores are served: regular
ones, on which quiet customers are scored too, and those of some purchases and reviews, where the short windows are
not empty. The instants of searches and views are left out. The simulator places them before an order because the
order comes, so a row in the middle of a visit would teach the scorer only the simulator.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from zlib import crc32

import numpy as np
import orjson
from numpy.typing import NDArray

from features.observation import to_micros
from features.users.point_in_time import snapshots
from features.users.row import Value
from models.artefact.artefact import MAXIMUM_CATEGORIES
from models.batching.batcher import MicroBatcher
from models.encoder.bert import Encoder
from models.finetuning.titles.aims import Aims
from models.finetuning.titles.purchases import Line, Pairs, Purchases, gather
from models.profile import Projection
from streams.contract import HORIZON
from streams.exceptions import ConfigurationError
from streams.inference.loading import identify
from streams.inference.text_reader import TextReader
from streams.net_spend import net_spend
from streams.offline.sample.orders import PERIOD_END, Order
from streams.offline.sample.simulator import simulate
from streams.records.decoder import Decoder
from streams.records.events import Click, Erasure, Event, Review, text_of, title_of
from streams.records.ndjson import RejectedLine, parse_line
from streams.records.observer import NOTHING_READ, Observer, Reading
from streams.records.rejection import Rejection

CUT_OFFS = tuple(PERIOD_END - HORIZON * months for months in range(11, 0, -1))
"""Every 30 days, from the second month of the data to the last instant with a full horizon after it."""

_VISITS_TAKEN: Final = 8
"""One in so many instants of purchases and reviews is a row: they are about as many as the regular ones then."""


@dataclass(frozen=True)
class TrainingSet:
    """Rows of features and the spend after them.

    Attributes:
        scalars: n rows in the order of `features.users.catalogue.SCALARS`.
        profiles: float32[n, 64].
        money: float64[n], spent in the 30 days after the instant.
        users: n customer ids.
        instants: int64[n], T in ms.
        regular: bool[n], whether the instant is one of `CUT_OFFS`: those rows are the reference population.
        projection: P, fitted to which titles the same customers buy.
        encoder: the identity of the encoder with that P.
        categories: those of the purchases, the most frequent first, at most 256.
    """

    scalars: list[tuple[Value, ...]]
    profiles: NDArray[np.float32]
    money: NDArray[np.float64]
    users: list[str]
    instants: NDArray[np.int64]
    regular: NDArray[np.bool_]
    projection: Projection
    encoder: str
    categories: tuple[str, ...]


def training_set(orders: Sequence[Order], encoder: Encoder) -> TrainingSet:
    """Return the rows of the customers behind `orders`. Memory holds the events of one customer at a time."""
    own = of_customers(orders)
    categories = categories_of(orders)
    words = {read_of(event) for bought in own.values() for event in events_of(bought)} - {""}
    projection, readings = asyncio.run(_read_all(sorted(words), gather(lines_of(orders)), encoder))
    identity = identify(encoder, projection)
    observer = Observer(categories)
    rows: list[tuple[Value, ...]] = []
    profiles, money, users, instants = [], [], [], []
    for user_id, bought in sorted(own.items()):
        events, amounts = events_of(bought), amounts_of(bought)
        observed = (
            observer.observe(event, offset, readings.get(read_of(event), NOTHING_READ))
            for offset, event in enumerate(events)
        )
        for snapshot in snapshots(observed, scored_instants(events), identity):
            rows.append(snapshot.scalars)
            profiles.append(snapshot.profile)
            money.append(net_spend(amounts, snapshot.instant, snapshot.instant + HORIZON))
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
        categories=categories,
    )


def of_customers(orders: Iterable[Order]) -> Mapping[str, list[Order]]:
    """Return each customer's orders, in the order given."""
    own: defaultdict[str, list[Order]] = defaultdict(list)
    for order in orders:
        own[order.customer_id].append(order)
    return own


def categories_of(orders: Iterable[Order]) -> tuple[str, ...]:
    """Return the categories of what was bought, the most frequent first, as many as an artefact may list."""
    counts = Counter(line.item.category for order in orders for line in order.lines)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(name for name, _ in ranked[:MAXIMUM_CATEGORIES])


def scored_instants(events: Iterable[Event]) -> list[int]:
    """Return the instants of a user's rows: every cut-off, and some of the user's purchases and reviews."""
    visits = {event.timestamp for event in events if _is_purchase_or_review(event) and _is_taken(event)}
    return sorted(set(CUT_OFFS) | {instant for instant in visits if instant <= CUT_OFFS[-1]})


def spend_after(orders: Sequence[Order], instant: int) -> float:
    """Return the money spent in the 30 days after an instant (ms), exclusive of it."""
    return net_spend(amounts_of(orders), instant, instant + HORIZON)


def amounts_of(orders: Iterable[Order]) -> list[tuple[int, int]]:
    """Return when how much was paid: ms and micro-units."""
    return [(order.timestamp, to_micros(order.dollars)) for order in orders]


def read_of(event: Event) -> str:
    """Return what is read of an event: the text of a review or a search, or the title of a click."""
    return title_of(event) or text_of(event)


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


def lines_of(orders: Iterable[Order]) -> Iterator[Line]:
    """Yield what was bought, as P is fitted to it."""
    for order in orders:
        for line in order.lines:
            yield Line(order.customer_id, order.order_id, line.item.title, order.timestamp)


async def _read_all(
    texts: Sequence[str], purchases: Purchases, encoder: Encoder
) -> tuple[Projection, dict[str, Reading]]:
    """Fit P to what the same customers buy, and read every text with it."""
    batcher = MicroBatcher(encoder, queue_texts=len(texts) + 1, cache_texts=len(texts) + 1)
    await batcher.start()
    try:
        embeddings = np.asarray(await batcher.encode(purchases.titles), dtype=np.float64)
        projection = Aims.of(purchases, Pairs.SHOPPERS).projection(embeddings)
        readings = await TextReader(batcher, projection).read(texts)
    finally:
        await batcher.stop()
    return projection, {
        text: reading for text, reading in zip(texts, readings, strict=True) if isinstance(reading, Reading)
    }


def _is_purchase_or_review(event: Event) -> bool:
    return isinstance(event, Review) or (isinstance(event, Click) and event.action == "purchase")


def _is_taken(event: Event) -> bool:
    # By customer and instant, so that all lines of a basket go together.
    return crc32(f"{event.user_id}/{event.timestamp}".encode()) % _VISITS_TAKEN == 0
