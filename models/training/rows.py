"""The rows a scorer is trained on: checked, divided into folds by user, and known by a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.exceptions import InvalidInputError
from models.profile import WIDTH
from models.scoring.columns import Columns
from models.scoring.standardising import ScalarRows, Transform, as_matrix, varying

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """n rows of a user's features at a cut-off, and the money spent after it; made by `checked`.

    Attributes:
        values: float64 [n, k], NaN for null.
        profiles: float64 [n, 64], unit or zero.
        money: float64 [n], >= 0.
        target: float64 [n], log1p of `money`.
        transforms: of features by name, for models that standardise; one without gets `Transform.SIGNED_LOG1P`.
    """

    values: Vector
    profiles: Vector
    money: Vector
    target: Vector
    transforms: Mapping[str, Transform] | None = None

    @classmethod
    def checked(
        cls,
        names: Sequence[str],
        scalars: ScalarRows,
        profiles: NDArray[np.floating],
        target_money: ArrayLike,
        users: Sequence[str],
        transforms: Mapping[str, Transform] | None = None,
    ) -> TrainingRows:
        """Check the arguments of `train`.

        Raises:
            InvalidInputError: shapes that do not fit, numbers not finite, negative money, or money that does
                not vary.
        """
        values = as_matrix(scalars, len(names))
        vectors, money = np.asarray(profiles, dtype=np.float64), np.asarray(target_money, dtype=np.float64)
        if vectors.shape != (len(values), WIDTH) or money.shape != (len(values),) or len(users) != len(values):
            raise InvalidInputError(
                f"training rows: expected {len(values)} profiles of {WIDTH}, amounts and users, found shapes "
                f"{list(vectors.shape)}, {list(money.shape)} and [{len(users)}]"
            )
        if np.isinf(values).any() or not (np.isfinite(vectors).all() and np.isfinite(money).all()):
            raise InvalidInputError("training rows: expected finite numbers, found NaN or infinity")
        if money.size == 0 or money.min() < 0 or money.min() == money.max():
            raise InvalidInputError(
                "target money: expected amounts >= 0 of which at least two differ, found none, a negative one or "
                "one amount throughout; check the cut-off of the training rows"
            )
        return cls(values, vectors, money, np.log1p(money), transforms)

    def where(self, chosen: NDArray[np.bool_]) -> TrainingRows:
        """Return the rows chosen by a mask, bool [n]."""
        return TrainingRows(
            self.values[chosen], self.profiles[chosen], self.money[chosen], self.target[chosen], self.transforms
        )

    def varying(self, names: Sequence[str]) -> Columns:
        """Find the features that vary in these rows; null counts as the mean.

        Nothing can be learnt of the others: a weight would be what it started as, and would count once they occur.

        Args:
            names: the k features.

        Raises:
            InvalidInputError: none varies.
        """
        varies = varying(names, self.values, self.transforms).tolist()
        kept = [name for name, kept in zip(names, varies, strict=True) if kept]
        if not kept:
            raise InvalidInputError(
                f"training rows: expected at least one feature that varies, found none among {len(names)}; "
                "check the events and the instants of the training rows"
            )
        return Columns.of(kept, names, "the scorer")

    def taking(self, columns: Columns) -> TrainingRows:
        """Return the rows with these features alone, in the order of `columns.names`."""
        return replace(self, values=columns.pick(self.values))

    def digest(self, names: Sequence[str], users: Sequence[str]) -> str:
        """Return the SHA-256, in hexadecimal, of the rows with the names of their k features and their n users."""
        digest = hashlib.sha256()
        # An array's NaN has many bit patterns; one stands for all.
        values = np.where(np.isnan(self.values), np.nan, self.values)
        texts = ["\n".join(f"{len(text)}:{text}" for text in group).encode() for group in (names, users)]
        for part in (*texts, *(array.astype("<f8").tobytes() for array in (values, self.profiles, self.money))):
            digest.update(len(part).to_bytes(8, "little") + part)
        return digest.hexdigest()


def assign_folds(users: Sequence[str], folds: int, seed: int) -> NDArray[np.int64]:
    """Assign rows to folds by a hash of the user's id, so that no order or number of rows moves a user.

    Args:
        users: [n], the user of each row.
        folds: at least 2.
        seed: salts the hash.

    Returns:
        int64 [n], 0 .. folds - 1.

    Raises:
        InvalidInputError: fewer than 2 folds.
    """
    if folds < 2:
        raise InvalidInputError(f"folds: expected at least 2, found {folds}")
    salt = str(seed).encode()
    digests = (hashlib.blake2b(user.encode(), digest_size=8, key=salt).digest() for user in users)
    return np.array([int.from_bytes(digest, "little") % folds for digest in digests], dtype=np.int64)
