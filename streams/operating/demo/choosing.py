"""The choice of three shoppers whose month is told: one foreseen, one missed, one drifting away."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from streams.offline.sample.orders import is_held_out
from streams.operating.read_back import Scores


class Role(StrEnum):
    """What a shopper is an example of. None is typical: each is the extreme of its kind."""

    FORESEEN = "foreseen"
    """Of those scored premium before the month, the one who spent most in it."""
    MISSED = "missed"
    """Of those scored low before the month, the one who spent most in it."""
    DRIFTING = "drifting"
    """Of those scored high or premium before the month who bought nothing in it and are at risk or lapsed after it, but
    were not before, the one whose score fell most."""


def choose(before: Scores, after: Scores, spent: Mapping[str, float]) -> dict[Role, str]:
    """Choose a shopper for every role that somebody has, among customers on whom no scorer was trained.

    Args:
        before: the scores as of the month's begin.
        after: the scores as of its end.
        spent: what each customer spent in the month; a customer who is not in it spent nothing.

    Returns:
        The user of each role, in the order of the roles; of equal ones the first by id.
    """
    users = [user for user in sorted(before) if user in after and is_held_out(user)]
    chosen: dict[Role, str] = {}
    for role, tier in ((Role.FORESEEN, "premium"), (Role.MISSED, "low")):
        buyers = [user for user in users if before[user]["tier"] == tier and spent.get(user, 0) > 0]
        if buyers:
            chosen[role] = max(buyers, key=lambda user: spent[user])
    falls = {
        user: before[user]["score"] - after[user]["score"]
        for user in users
        if before[user]["tier"] in ("high", "premium") and not spent.get(user)
        if _lost(after[user]) and not _lost(before[user])
    }
    if any(fall > 0 for fall in falls.values()):
        chosen[Role.DRIFTING] = max(falls, key=lambda user: falls[user])
    return chosen


def _lost(score: Mapping[str, Any]) -> bool:
    return score["labels"]["lifecycle"] in ("at_risk", "lapsed")
