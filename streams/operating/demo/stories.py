"""The month of a chosen shopper: what was known before, what happened, and by which parts the score moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from features.users.row import Value
from streams.operating.demo.choosing import Role
from streams.operating.demo.journey import Day
from streams.operating.demo.standing import Move, Standing


@dataclass(frozen=True)
class Story:
    """A shopper's month.

    Attributes:
        role: what the shopper is an example of.
        user_id: who it is.
        before: the score record as of the month's begin.
        after: the score record as of its end.
        known: features as of the month's begin.
        days: the days on which something happened, in order.
        moves: the parts of the change of the prediction, the largest first; they add up to it.
    """

    role: Role
    user_id: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    known: Mapping[str, Value]
    days: Sequence[Day]
    moves: Sequence[Move]

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {
            "role": self.role,
            "user_id": self.user_id,
            "score": {"before": self.before["score"], "after": self.after["score"]},
            "tier": {"before": self.before["tier"], "after": self.after["tier"]},
            "expected_spend": {"before": self.before["expected_spend"], "after": self.after["expected_spend"]},
            "spent": self.spent,
            "moved_by": [{"feature": move.feature, "contribution": move.by} for move in self.moves if move.by],
        }

    @property
    def spent(self) -> float:
        """The value of the month's orders."""
        return round(sum(order.dollars for day in self.days for order in day.orders), 2)


def story(
    role: Role,
    user_id: str,
    records: tuple[Mapping[str, Any], Mapping[str, Any]],
    standing: tuple[Standing, Standing],
    days: Sequence[Day],
) -> Story:
    """Put a shopper's month together.

    Args:
        role: what the shopper is an example of.
        user_id: who it is.
        records: the shopper's score records as of the month's begin and end.
        standing: all users as of both.
        days: of the month.
    """
    then, now = standing
    return Story(role, user_id, *records, then.features(user_id), days, then.moves(now, user_id))
