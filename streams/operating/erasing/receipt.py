"""The receipt of an erasure: a verdict on each place that was read back, and a list of the data that stays.

Of an item that was forgotten it is the same, with places of its own (`streams.operating.items.forgotten`).

A place counts as clean only on evidence that the request has passed there; an empty place is no evidence. The evidence
is a marker in the changelog that has seen the request's offset, a tombstone behind the request in each topic of records
of users, and the user's fence in the online store, which only a store that the workers write can hold.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec
from aiokafka import ConsumerRecord

from features.entity import State
from features.observation import Source
from features.online.views import Serving
from features.users.state import UserState
from streams.broker.topics.lifetimes import (
    COMPACTION,
    FOR_GOOD,
    RETENTION,
    TOMBSTONES,
    Lifetime,
    of_records,
    of_replaced,
    of_tombstone,
)
from streams.contract import CAPACITY, CLICKS, DEAD_LETTERS, ERASURES, FACTS, REVIEWS, SCORES, SEARCHES
from streams.operating.erasing.requests import Place
from streams.records.events import Erasure

USER_TABLE: Final = "user_table"
ONLINE_STORE: Final = "online_store"

Request = TypeVar("Request", bound=msgspec.Struct)

ERASE: Final = "erase"
"""The verb of what is to be done where a place is not clean."""

_KEPT_RECORDS: Final = {
    REVIEWS: "the user's reviews",
    SEARCHES: "the user's searches",
    CLICKS: "the user's clicks",
    ERASURES: "the requests, which name the user",
    DEAD_LETTERS: "rejected records of the user as they came",
}
_KEPT_FACTS: Final = "what users did with items, the user's part among it; no fact names a user"
_KEPT_STATES: Final = "older states of the user"
_KEPT_OUTPUTS: Final = {
    SCORES: "older scores of the user",
    CAPACITY: "older estimates of the user's capacity",
}
_KEPT_FOR_GOOD: Final = {
    USER_TABLE: "the marker: the user's key and the time of the erasure, so that late events stay refused",
    ONLINE_STORE: "the fence: version numbers under the user's key, so that no older row returns",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict on one place that was read back.

    Attributes:
        where: the deciding record, or the address of the store.
        remains: the data still there, or the reason why that is unknown, and what to do; None if the place is clean.
        facts: further values that were read.
    """

    where: str
    remains: str | None
    facts: Mapping[str, Any]


class Kept(NamedTuple):
    """The data that an erasure leaves in one place.

    Attributes:
        place: a topic of the contract, `user_table` or `online_store`.
        holds: the data that stays there.
        setting: the topic's setting that limits the time; None for data that is kept for good.
        value: the setting's value in ms; None if the broker does not tell it.
        lifetime: the time for which the data stays.
    """

    place: str
    holds: str
    setting: str | None
    value: str | None
    lifetime: Lifetime

    def as_dict(self) -> dict[str, Any]:
        """Return the entry in the form of JSON."""
        return {
            "place": self.place,
            "holds": self.holds,
            "setting": self.setting,
            "value": self.value,
            **self.lifetime._asdict(),
        }


@dataclass(frozen=True)
class Receipt(Generic[Request]):
    """The result of a request.

    Attributes:
        request: the one that was published: to erase a user, or to forget an item.
        place: the place of the request.
        removed: the verdict by place.
        kept: the data that is not removed.
        revision: what was applied after the request; 0 while the user or item is gone.
        served_before: whether the online store served it before the request; None if it could not be asked.
    """

    request: Request
    place: Place
    removed: Mapping[str, Finding]
    kept: Sequence[Kept]
    revision: int
    served_before: bool | None = None

    @property
    def verified(self) -> bool:
        """Whether every place is free of data from before the erasure."""
        return all(finding.remains is None for finding in self.removed.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the receipt in the form of JSON."""
        return {
            **msgspec.structs.asdict(self.request),
            "request": self.place._asdict(),
            "verified": self.verified,
            "served_before": self.served_before,
            "exists_again": {"revision": self.revision} if self.revision else None,
            "removed": {
                name: {"removed": found.remains is None, "where": found.where, "remains": found.remains, **found.facts}
                for name, found in self.removed.items()
            },
            "kept": [kept.as_dict() for kept in self.kept],
        }


def judge_state(state: UserState, newest: Place | None, request: Erasure, place: Place, changelog: str) -> Finding:
    """Judge the newest state since the request; `newest` is its record, None if there is none."""
    remains: str | None = None
    if newest is None:
        remains = (
            "no marker was written: look for the request among the dead letters "
            f"(topic {ERASURES}, partition {place.partition}, offset {place.offset})"
        )
        return Finding(changelog, remains, {})
    erased_at = -1 if state.erased_at is None else state.erased_at
    if state.offsets[Source.ERASURES] < place.offset or erased_at < request.timestamp:
        remains = "the newest state does not know of the erasure: erase again"
    elif not state.revision and _remembers(state):
        remains = (
            "the marker remembers event ids, orders, texts or titles: it is damaged, erase again with the newest "
            "release"
        )
    facts = {"revision": state.revision, "erased_at": state.erased_at, "epoch": state.epoch}
    return Finding(str(newest), remains, facts)


def _remembers(state: UserState) -> bool:
    """Return whether a state holds what a marker has none of."""
    words = state.texts.total is not None or state.taste.total is not None
    return words or any(state.remembered) or bool(state.orders or state.waiting)


def judge_records(published: Sequence[ConsumerRecord], topic: str, state: State, again: str = ERASE) -> Finding:
    """Judge the records of a user or an item that were appended to a topic since the request.

    Args:
        published: the records.
        topic: by its name on the broker.
        state: the newest one.
        again: the verb of what is to be done where a place is not clean.
    """
    tombstones = [record for record in published if record.value is None]
    if not tombstones:
        return Finding(topic, f"no tombstone was published: {again} again", {})
    last = tombstones[-1]
    remains: str | None = None
    if published[-1] is not last and not state.revision:
        remains = f"a record of before follows the tombstone: {again} again"
    return Finding(str(Place(topic, last.partition, last.offset)), remains, {"tombstone": True})


@dataclass(frozen=True, slots=True)
class StoreReading:
    """The record of the online store about a user or an item.

    Attributes:
        address: of the store, without its password.
        serves: whether any view holds a value.
        fenced: whether the store knows a version of the key, erased or not.
        trouble: the reason why the store could not be read; None if it could.
    """

    address: str
    serves: bool = False
    fenced: bool = False
    trouble: str | None = None


def judge_store(found: StoreReading, state: State, serving: Serving[Any], again: str = ERASE) -> Finding:
    """Judge the record of the online store.

    Args:
        found: what was read.
        state: the newest one.
        serving: whose views they are.
        again: the verb of what is to be done where a place is not clean.
    """
    remains: str | None = None
    if found.trouble is not None:
        remains = f"it could not be read: {found.trouble}"
    elif not found.fenced:
        remains = (
            "it holds no fence of the request, so it is not what the workers write: set WHEREWITHAL_ONLINE_STORE "
            f"to theirs (or it has lost the fence: {again} again)"
        )
    elif found.serves and not state.revision:
        remains = (
            f"a view still serves the {serving.entity}, by another writer's doing: find that one, then {again} again"
        )
    return Finding(found.address, remains, {"views": [view.name for view in serving.stored], "serves": found.serves})


def kept_after(
    outputs: Collection[str], configs: Mapping[str, Mapping[str, str]], now: int, *, items: bool = False
) -> list[Kept]:
    """Return the data that an erasure leaves behind.

    Args:
        outputs: the topics of records of users that there are, of the contract.
        configs: the settings of the topics by their place, as far as the broker tells them.
        now: when the erasure was settled, epoch ms.
        items: whether there is a topic of facts of items.
    """

    def kept(place: str, holds: str, setting: str, lifetime: Lifetime) -> Kept:
        return Kept(place, holds, setting, configs.get(place, {}).get(setting), lifetime)

    records = _KEPT_RECORDS | ({FACTS: _KEPT_FACTS} if items else {})
    replaced = {USER_TABLE: _KEPT_STATES} | {topic: _KEPT_OUTPUTS[topic] for topic in outputs}
    return [
        *(kept(place, holds, RETENTION, of_records(configs.get(place, {}), now)) for place, holds in records.items()),
        *(
            kept(place, holds, COMPACTION, of_replaced(configs.get(place, {}), now))
            for place, holds in replaced.items()
        ),
        *(
            kept(topic, "the tombstone, which names the user", TOMBSTONES, of_tombstone(configs.get(topic, {})))
            for topic in outputs
        ),
        *(Kept(place, holds, None, None, FOR_GOOD) for place, holds in _KEPT_FOR_GOOD.items()),
    ]
