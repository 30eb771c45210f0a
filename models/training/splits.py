"""Which rows a candidate is fitted on and which it is judged on: other users, and later instants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.exceptions import InvalidInputError
from models.training.rows import TrainingRows, assign_folds

Mask = NDArray[np.bool_]

HORIZON_MS: Final = 30 * 86_400_000
"""How far ahead the target looks: a row's outcome is known this long after its instant."""

_EARLIER_SHARE: Final = 0.6
"""The cut lies at this quantile of the instants, which leaves a good third of the rows to judge after it."""


@dataclass(frozen=True, eq=False)
class Split:
    """One fold, as three masks over the rows, bool [n].

    Attributes:
        fit: rows to fit on.
        stop: rows of users of the next fold, at the instants of `fit`, to stop early on; a fit that needs none
            takes them too.
        judge: rows to judge on: users of neither.
    """

    fit: Mask
    stop: Mask
    judge: Mask


@dataclass(frozen=True, eq=False)
class Splits:
    """The two ways the rows are divided.

    `by_user` holds each user out once, at every instant: calibration and the reported errors come from it.
    Candidates are chosen on `by_choice`. With a time split, a fold's candidate is fitted on the rows whose
    outcome was known at the cut (instant + 30 days <= cut) and judged on rows at or after the cut, of users it has
    never seen: it can have learnt neither the user nor anything of the judged time. Both are needed: a shopper's
    rows resemble each other, and rows of one time share its season. Where the instants are unknown, or no cut
    leaves buyers and others on both sides in every fold, `by_choice` is `by_user`.

    Attributes:
        folds: int64 [n], the fold of each row.
        by_user: one for each fold that has rows.
        by_choice: likewise.
        timed: whether `by_choice` splits by time as well.
    """

    folds: NDArray[np.int64]
    by_user: tuple[Split, ...]
    by_choice: tuple[Split, ...]
    timed: bool


def split(
    rows: TrainingRows, users: Sequence[str], instants: NDArray[np.int64] | None, folds: int, seed: int
) -> Splits:
    """Divide the rows.

    Args:
        rows: n of them.
        users: [n]; a user's rows share a fold.
        instants: int64 [n], ms; None where they are not known.
        folds: at least 2.
        seed: salts the folds.

    Raises:
        InvalidInputError: users that all fall into one fold, or instants that are not one for each row.
    """
    fold_of_row = assign_folds(users, folds, seed)
    present = np.unique(fold_of_row)
    if len(present) < 2:
        raise InvalidInputError(
            f"users: expected users in at least 2 of {folds} folds, found them all in one; "
            "pass more users, more folds or another seed"
        )
    if instants is not None and instants.shape != (len(users),):
        raise InvalidInputError(f"instants: expected {len(users)}, one for each row, found {list(instants.shape)}")
    following = np.roll(present, -1)
    pairs = [(fold_of_row == fold, fold_of_row == after) for fold, after in zip(present, following, strict=True)]
    by_user = tuple(Split(fit=~held & ~after, stop=after & ~held, judge=held) for held, after in pairs)
    by_choice = by_user if instants is None else _later(rows, by_user, instants)
    return Splits(folds=fold_of_row, by_user=by_user, by_choice=by_choice, timed=by_choice is not by_user)


def _later(rows: TrainingRows, by_user: tuple[Split, ...], instants: NDArray[np.int64]) -> tuple[Split, ...]:
    cut = np.quantile(instants, _EARLIER_SHARE, method="higher")
    known, later = instants + HORIZON_MS <= cut, instants >= cut
    timed = tuple(Split(fit=part.fit & known, stop=part.stop & known, judge=part.judge & later) for part in by_user)
    usable = all(_varies(rows, part.fit | part.stop) and _varies(rows, part.judge) for part in timed)
    return timed if usable else by_user


def _varies(rows: TrainingRows, chosen: Mask) -> bool:
    money = rows.money[chosen]
    return bool(money.size and money.min() < money.max())
