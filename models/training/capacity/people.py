"""The users of a fit, those with a label among them, and the folds they are dealt into."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.exceptions import InvalidInputError
from models.measures.spend import average_ranks
from models.profile import WIDTH
from models.scoring.capacity import VECTORS
from models.scoring.standardising import Transform

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class People:
    """n users, each with the features of one instant; the labelled ones are some of them.

    Attributes:
        names: the k scalars.
        values: float64 [n, k], NaN for null.
        vectors: float64 [n, 128], those of `VECTORS` side by side.
        transforms: of scalars by name; one without gets `Transform.SIGNED_LOG1P`.
        windows: days of the window of a scalar by name; one without speaks of the user's whole life.

    Raises:
        InvalidInputError: shapes that do not fit, or numbers that are not finite.
    """

    names: tuple[str, ...]
    values: Vector
    vectors: Vector
    transforms: Mapping[str, Transform]
    windows: Mapping[str, float]

    def __post_init__(self) -> None:
        count = len(self.values)
        expected = ((count, len(self.names)), (count, WIDTH * len(VECTORS)))
        if (self.values.shape, self.vectors.shape) != expected:
            raise InvalidInputError(
                f"rows: expected shapes {expected[0]} and {expected[1]}, found {self.values.shape} and "
                f"{self.vectors.shape}; pass one row and one of each vector for each user"
            )
        if np.isinf(self.values).any() or not np.isfinite(self.vectors).all():
            raise InvalidInputError("rows: expected finite numbers, found infinity, or NaN in a vector")


@dataclass(frozen=True, eq=False)
class Labelled:
    """The users with a label.

    Attributes:
        users: n different ids.
        places: int64 [n], of each in the rows of `People`.
        labels: float64 [n], any ordered number.
    """

    users: tuple[str, ...]
    places: NDArray[np.int64]
    labels: Vector

    def where(self, chosen: Mask) -> Labelled:
        """Return the users chosen by a mask, bool [n]."""
        users = tuple(user for user, kept in zip(self.users, chosen.tolist(), strict=True) if kept)
        return Labelled(users, self.places[chosen], self.labels[chosen])


MEAN_RANK: Final = 0.5
"""The mean of ranks, whatever the labels and however many are equal."""


def ranks(labels: Vector) -> Vector:
    """Return the share of labels that are less, half of the equal ones included: float64 [n], in 0 .. 1, mean 0.5.

    Labels are ordered, and no more: how far apart two are may mean nothing, and one that is far out would decide a fit
    of squared errors. The rank is what is asked for, and any rising change of the labels leaves it as it is.
    """
    return (average_ranks(labels) - 0.5) / len(labels)


def deal(users: Sequence[str], labels: Vector, folds: int, seed: int) -> NDArray[np.int64]:
    """Deal users into folds that are alike in their labels: int64 [n].

    In the order of the labels, each run of `folds` users has one in every fold, by a hash of the id. So no fold lacks
    the high or the low, and neither the order of the rows nor the machine moves a user.

    Args:
        users: n different ids.
        labels: [n].
        folds: at least 2.
        seed: salts the hash.

    Raises:
        InvalidInputError: fewer than 2 users for each fold.
    """
    if folds < 2 or len(users) < 2 * folds:
        raise InvalidInputError(
            f"labels: expected at least {2 * max(folds, 2)} users with a label and a row, found {len(users)}; "
            "pass more labels, or rows of more users"
        )
    salt = str(seed).encode()
    digests = [hashlib.blake2b(user.encode(), digest_size=8, key=salt).digest() for user in users]
    order = sorted(range(len(users)), key=lambda place: (labels[place], digests[place]))
    dealt = np.empty(len(users), dtype=np.int64)
    for start in range(0, len(order), folds):
        run = sorted(order[start : start + folds], key=lambda place: digests[place][::-1])
        # The last run may be short: it begins at another fold each time, or the first would get all of them.
        shift = digests[run[0]][0]
        for place, user in enumerate(run):
            dealt[user] = (place + shift) % folds
    return dealt
