"""The row of one user as it goes to the online store, and the fence that orders its versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from features.exceptions import OnlineRowError
from features.users.catalogue import PROFILE_WIDTH, SCALARS

Fence = tuple[int, int, int]
"""(epoch, sequence, emitted_at in ms), compared from left to right: the greater one is the newer version."""

FENCE_LIMIT: Final = 2**53
"""Redis compares fences in Lua, whose numbers are IEEE doubles: below this every integer is exact."""

VECTOR_BYTES: Final = 4 * PROFILE_WIDTH


class CapacityRow(msgspec.Struct, frozen=True, gc=False):
    """What the view `purchasing_capacity` serves of one user.

    Attributes:
        capacity: 0..100, share of the reference population at or below this user, in percent; None for a user of too
            little evidence.
        prediction: what the capacity artefact predicts, an ordinal number; None with `capacity`.
        band: `lower`, `middle`, `upper`, or `unknown` with a `capacity` of None.
        scorer: identity of the capacity artefact.
        encoder: identity of the encoder that the vectors come from.
        evidence: orders since the user was first seen.
    """

    capacity: float | None
    prediction: float | None
    band: str
    scorer: str
    encoder: str
    evidence: int


# One is made for every score: a frozen dataclass would take four times as long.
class OnlineRow(msgspec.Struct, frozen=True, gc=False):
    """Everything served of one user.

    Attributes:
        user_id: the shopper, 1..256 UTF-8 bytes.
        fence: version of the row; it lands only over a smaller one.
        scalars: one value per `features.users.catalogue.SCALARS`, in that order: counts int, the rest float;
            None is null.
        event_time: T, epoch ms.
        revision: events applied to the user; written to all views.
        profile: the profile vector, 64 little-endian float32.
        taste: the taste vector, likewise.
        titles_waiting: clicks whose titles are not in the taste vector yet, for they are still to be read.
        encoder: identity of the encoder both vectors come from.
        score: 0..100, share of the reference population at or below this user, in percent.
        expected_spend: money over the next 30 days, in units of the deployment's currency.
        tier: `low`, `medium`, `high` or `premium`.
        scorer: identity of the scorer.
        capacity: None where no capacity is estimated; what a store holds of it then stays as it is.

    Raises:
        OnlineRowError: a wrong number of scalars, a vector of another width, a fence out of range.
    """

    user_id: str
    fence: Fence
    scalars: tuple[int | float | None, ...]
    event_time: int
    revision: int
    profile: bytes
    taste: bytes
    titles_waiting: int
    encoder: str
    score: float
    expected_spend: float
    tier: str
    scorer: str
    capacity: CapacityRow | None = None

    def __post_init__(self) -> None:
        if len(self.scalars) != len(SCALARS):
            raise OnlineRowError(
                f"expected {len(SCALARS)} scalar features, found {len(self.scalars)}: "
                "fill one value per entry of features.users.catalogue.SCALARS"
            )
        for name, vector in (("profile", self.profile), ("taste", self.taste)):
            if len(vector) != VECTOR_BYTES:
                raise OnlineRowError(
                    f"expected a {name} vector of {VECTOR_BYTES} bytes, found {len(vector)}: "
                    f"give {PROFILE_WIDTH} little-endian float32"
                )
        check_fence(self.fence)


def check_fence(fence: Fence) -> None:
    """Refuse a fence that a store could not compare exactly.

    Raises:
        OnlineRowError: not three integers in 0 <= n < 2^53.
    """
    if len(fence) != 3 or not 0 <= min(fence) <= max(fence) < FENCE_LIMIT:
        raise OnlineRowError(
            f"expected a fence (epoch, sequence, emitted_at) of integers in 0 <= n < 2^53, found {fence}"
        )


def newest_per_user(rows: Sequence[OnlineRow]) -> list[OnlineRow]:
    """Return the row with the greatest fence of each user, in the order users first appear."""
    newest: dict[str, OnlineRow] = {}
    for row in rows:
        rival = newest.get(row.user_id)
        if rival is None or row.fence > rival.fence:
            newest[row.user_id] = row
    return list(newest.values())


class Forget(NamedTuple):
    """The removal of a user from every view, and the fence to leave behind."""

    user_id: str
    fence: Fence
