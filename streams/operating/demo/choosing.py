"""The choice of three shoppers whose month is told: one foreseen, one missed, one drifting away."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from streams.offline.sample.orders import is_held_out
from streams.operating.read_back import Scores


class Role(StrEnum):
    """What a shopper is an example of. None is typical: each is the extreme of its kind."""

    FORESEEN = "foreseen"
    """Of those scored premium before the month, the one who spent most in it."""
    MISSED = "missed"
    """Of those scored low before the month, the one who spent most in it."""
    DRIFTING = "drifting"
    """Of those scored high or premium before the month who then spent less than half of what was expected, the one
    whose score fell most."""


SPENT_OF_EXPECTED: Final = 0.5
"""Who spends less of what was expected is drifting away: groceries are bought by nearly everybody, if less."""


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
        if before[user]["tier"] in ("high", "premium")
        if spent.get(user, 0) < SPENT_OF_EXPECTED * before[user]["expected_spend"]
    }
    if any(fall > 0 for fall in falls.values()):
        chosen[Role.DRIFTING] = max(falls, key=lambda user: falls[user])
    return chosen
