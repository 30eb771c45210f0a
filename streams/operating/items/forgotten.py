"""The places of a forgotten item: the verdict on its state, and the list of the data that stays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from features.items.state import ItemState
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
from streams.contract import FACTS, ITEM_SIGNALS
from streams.operating.erasing.receipt import ONLINE_STORE, Finding, Kept
from streams.operating.erasing.requests import Place

ITEM_TABLE: Final = "item_table"

_KEPT_FOR_GOOD: Final = {
    ITEM_TABLE: "the places up to which facts of the item are known, so that none counts again",
    ONLINE_STORE: "the fence: version numbers under the item's key, so that no older row returns",
}

FORGET: Final = "forget"
"""The verb of what is to be done where a place is not clean."""


def judge_item(state: ItemState, newest: Place | None, place: Place, changelog: str) -> Finding:
    """Judge the newest state since the request.

    Args:
        state: the newest one.
        newest: the place of its record; None if there is none.
        place: of the request.
        changelog: by its name on the broker.
    """
    if newest is None:
        return Finding(changelog, f"no state was written since the request: {FORGET} again", {})
    remains = None
    if state.offsets[0] < place.offset:
        remains = f"the newest state does not know of the request: {FORGET} again"
    return Finding(str(newest), remains, {"revision": state.revision, "epoch": state.epoch})


def kept_after(configs: Mapping[str, Mapping[str, str]], now: int) -> list[Kept]:
    """Return the data that stays when an item is forgotten.

    Args:
        configs: the settings of the topics by their place, as far as the broker tells them.
        now: when it was forgotten, epoch ms.
    """

    def kept(place: str, holds: str, setting: str, lifetime: Lifetime) -> Kept:
        return Kept(place, holds, setting, configs.get(place, {}).get(setting), lifetime)

    facts, table, signals = (configs.get(place, {}) for place in (FACTS, ITEM_TABLE, ITEM_SIGNALS))
    return [
        kept(FACTS, "facts of the item, and the request, which names it", RETENTION, of_records(facts, now)),
        kept(ITEM_TABLE, "older states of the item", COMPACTION, of_replaced(table, now)),
        kept(ITEM_SIGNALS, "older records of the item", COMPACTION, of_replaced(signals, now)),
        kept(ITEM_SIGNALS, "the tombstone, which names the item", TOMBSTONES, of_tombstone(signals)),
        *(Kept(place, holds, None, None, FOR_GOOD) for place, holds in _KEPT_FOR_GOOD.items()),
    ]
