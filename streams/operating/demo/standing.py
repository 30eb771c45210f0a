"""Where every user of a flow stands at an instant: features, and the prediction divided among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from features.users.catalogue import NAMES
from features.users.codec import decode
from features.users.row import Value, profiles, scalars
from models.scoring.scorer import Predictions
from streams.worker.flow import Flow


class Move(NamedTuple):
    """The part that one feature has in the change of a prediction.

    Attributes:
        feature: its name.
        before: its value at the first instant; None for null, and for the profile vector.
        after: the same at the second instant.
        by: contribution at the second instant minus that at the first, in log1p of money.
    """

    feature: str
    before: Value
    after: Value
    by: float


@dataclass(frozen=True, eq=False)
class Standing:
    """n users at an instant.

    Attributes:
        users: the position of each user.
        rows: [n], features in the order of `features.users.catalogue.NAMES`.
        predicted: of the n users.
    """

    users: Mapping[str, int]
    rows: Sequence[tuple[Value, ...]]
    predicted: Predictions

    @classmethod
    def of(cls, flow: Flow, instant: int) -> Standing:
        """Score every user of a drained flow as of an instant (ms), with the scorer that it serves."""
        states = {
            key.decode(): decode(stored)
            for number, partition in flow.engine.partitions.items()
            for key, stored in partition.states.items(number)
        }
        known = {user: state for user, state in states.items() if state.revision}
        rows = [scalars(state, state.instant(instant)) for state in known.values()]
        vectors = profiles(list(known.values()), flow.inference.encoder)
        predicted = flow.engine.equipment.emitter.scoring.predict(rows, vectors)
        return cls({user: position for position, user in enumerate(known)}, rows, predicted)

    def features(self, user_id: str) -> dict[str, Value]:
        """Return a user's scalar features by name."""
        return dict(zip(NAMES, self.rows[self.users[user_id]], strict=True))

    def moves(self, later: Standing, user_id: str) -> list[Move]:
        """Divide the change of a user's prediction, exactly, the largest part first.

        Args:
            later: the users at a later instant, scored by the same scorer.
            user_id: who is at both.
        """
        before = self.predicted.contributions[self.users[user_id]].tolist()
        after = later.predicted.contributions[later.users[user_id]].tolist()
        then, now = self.features(user_id), later.features(user_id)
        moves = [
            Move(name, then.get(name), now.get(name), new - old)
            for name, old, new in zip(self.predicted.names, before, after, strict=True)
        ]
        return sorted(moves, key=lambda move: (-abs(move.by), move.feature))
