"""The rows of users and items as they go to the online store, and the fence that orders the versions of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol, TypeVar

import msgspec

from features.exceptions import OnlineRowError
from features.items.catalogue import SCALARS as ITEM_SCALARS
from features.text_sum import PROFILE_WIDTH
from features.users.catalogue import SCALARS

Fence = tuple[int, int, int]
"""(epoch, sequence, emitted_at in ms), compared from left to right: the greater one is the newer version."""

FENCE_LIMIT: Final = 2**53
"""Redis compares fences in Lua, whose numbers are IEEE doubles: below this every integer is exact."""

VECTOR_BYTES: Final = 4 * PROFILE_WIDTH


class Row(Protocol):
    """What a store looks at in the row of any entity."""

    @property
    def key(self) -> str:
        """Whose row it is."""

    @property
    def fence(self) -> Fence:
        """Version of the row; it lands only over a smaller one."""

    @property
    def event_time(self) -> int:
        """T, epoch ms."""


R = TypeVar("R", bound=Row)


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
        _check_scalars(self.scalars, len(SCALARS), "users")
        _check_vector(self.profile, "profile")
        _check_vector(self.taste, "taste")
        check_fence(self.fence)

    @property
    def key(self) -> str:
        """The shopper."""
        return self.user_id


class ItemRow(msgspec.Struct, frozen=True, gc=False):
    """Everything served of one item.

    Attributes:
        item_id: the item, 1..256 UTF-8 bytes.
        fence: version of the row; it lands only over a smaller one.
        scalars: one value per `features.items.catalogue.SCALARS`, in that order: counts int, the rest float;
            None is null.
        title: of the newest click that has one; None without one.
        category: likewise.
        price: likewise, in units of the deployment's currency.
        title_vector: 64 little-endian float32.
        encoder: identity of the encoder that the vector comes from.
        event_time: T, epoch ms.
        revision: facts applied to the item.

    Raises:
        OnlineRowError: a wrong number of scalars, a vector of another width, a fence out of range.
    """

    item_id: str
    fence: Fence
    scalars: tuple[int | float | None, ...]
    title: str | None
    category: str | None
    price: float | None
    title_vector: bytes
    encoder: str
    event_time: int
    revision: int

    def __post_init__(self) -> None:
        _check_scalars(self.scalars, len(ITEM_SCALARS), "items")
        _check_vector(self.title_vector, "title")
        check_fence(self.fence)

    @property
    def key(self) -> str:
        """The item."""
        return self.item_id


def _check_scalars(scalars: tuple[int | float | None, ...], expected: int, room: str) -> None:
    if len(scalars) != expected:
        raise OnlineRowError(
            f"expected {expected} scalar features, found {len(scalars)}: "
            f"fill one value per entry of features.{room}.catalogue.SCALARS"
        )


def _check_vector(vector: bytes, name: str) -> None:
    if len(vector) != VECTOR_BYTES:
        raise OnlineRowError(
            f"expected a {name} vector of {VECTOR_BYTES} bytes, found {len(vector)}: "
            f"give {PROFILE_WIDTH} little-endian float32"
        )


def check_fence(fence: Fence) -> None:
    """Refuse a fence that a store could not compare exactly.

    Raises:
        OnlineRowError: not three integers in 0 <= n < 2^53.
    """
    if len(fence) != 3 or not 0 <= min(fence) <= max(fence) < FENCE_LIMIT:
        raise OnlineRowError(
            f"expected a fence (epoch, sequence, emitted_at) of integers in 0 <= n < 2^53, found {fence}"
        )


def newest_per_key(rows: Sequence[R]) -> list[R]:
    """Return the row with the greatest fence of each key, in the order keys first appear."""
    newest: dict[str, R] = {}
    for row in rows:
        key = row.key
        rival = newest.get(key)
        if rival is None or row.fence > rival.fence:
            newest[key] = row
    return list(newest.values())


class Forget(NamedTuple):
    """The removal of a key from every view, and the fence to leave behind."""

    key: str
    fence: Fence
