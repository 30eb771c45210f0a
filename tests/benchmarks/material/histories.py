"""Users of a given history, and the users that the simulator's shoppers become."""

from __future__ import annotations

import random
from itertools import islice
from typing import Final

import orjson
from benchmarks.material.clicks import START_MS
from support.encoders import HashEncoder

from features.observation import Kind, Observation, Source
from features.users.codec import encode
from features.users.state import UserState
from streams.offline.sample.orders import demo_orders
from streams.offline.sample.phrases import CATEGORIES
from streams.offline.sample.simulator import simulate
from streams.records.decoder import Decoder
from streams.records.events import Erasure
from streams.records.observer import Observer, Reading
from streams.records.rejection import Rejection

SPREAD_MS: Final = 30 * 24 * 3_600_000
ENCODER: Final = "encoder"


def observation(rng: random.Random, offset: int, timestamp: int) -> Observation:
    """Return one click, with a price and one of five categories."""
    kind = rng.choices((Kind.VIEW, Kind.FAVORITE, Kind.CART, Kind.PURCHASE), (14, 2, 3, 1))[0]
    return Observation(
        kind=int(kind),
        source=int(Source.CLICKS),
        offset=offset,
        timestamp=timestamp,
        event_key=rng.randbytes(8),
        amount=rng.randrange(200_000_000) if kind in (Kind.VIEW, Kind.PURCHASE) else None,
        category=rng.randrange(5),
    )


def grown(rng: random.Random, events: int) -> UserState:
    """Return a user with so many clicks, evenly spread over 30 days: the worst case for tiles."""
    state = UserState()
    for number in range(events):
        state.apply(observation(rng, number, START_MS + number * SPREAD_MS // events), ENCODER)
    return state


def simulated(limit: int) -> list[UserState]:
    """Return every user that the simulator's shoppers make of so many lines, texts with a profile vector included."""
    decoder, observer, encoder = Decoder(), Observer(CATEGORIES), HashEncoder()
    projected = encoder.vector([1])[:64].astype("float64")
    states: dict[str, UserState] = {}
    for offset, line in enumerate(islice(simulate(demo_orders()), limit)):
        if line["topic"] == "erasures" or "value" not in line:
            continue
        value = orjson.dumps(line["value"])
        key = str(line["value"].get("user_id")).encode()
        event = decoder.decode(line["topic"], key, value, START_MS)
        if isinstance(event, Rejection | Erasure):
            continue
        state = states.setdefault(event.user_id, UserState())
        state.apply(observer.observe(event, offset, Reading(noisy=False, projected=projected)), ENCODER)
    return list(states.values())


def simulated_bytes(limit: int) -> list[int]:
    """Return the bytes of each of them, in ascending order."""
    return sorted(len(encode(state)) for state in simulated(limit))
