"""Whether a history holds enough to train a scorer on and to judge it, said in one line where it does not."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.tiles import DAY
from features.users.catalogue import INDEX
from models.training.rows import assign_folds
from streams.contract import HORIZON
from streams.exceptions import ConfigurationError
from streams.offline.fitting.contest import Rules
from streams.offline.history.folding import Account
from streams.offline.training.source import Source

LEAST_USERS: Final = 50
"""Below it, a fold has a handful of users, and who is in it decides what is found."""

LEAST_BUYERS: Final = 10
"""Users who spend in some 30 days: fewer tell nothing of others."""

LEAST_BUYERS_HELD_OUT: Final = 2
"""Pairs of different spend are needed among those held out."""

LEAST_ROWS_HELD_OUT: Final = 30
"""Three for each decile of the calibration, so that a resampling of the users still has one for each."""

_HORIZON_DAYS: Final = HORIZON // DAY


def check_history(account: Account, outcomes: int) -> None:
    """Refuse a history in which nothing counts, or that is too short.

    Args:
        account: of the fold.
        outcomes: number of rows whose 30 days the history covers.

    Raises:
        ConfigurationError: there is no event that counts, or no such row.
    """
    if not account.events_applied or account.oldest is None or account.newest is None:
        raise ConfigurationError(
            f"EVENTS: expected events that count, found none among {account.events_in:,} lines "
            f"({account.dead_letters:,} refused, {account.erased:,} erased); `wherewithal replay FILE --dead-letters "
            "refused.ndjson` says why"
        )
    days = (account.newest - account.oldest) / DAY
    if days <= _HORIZON_DAYS + 1:
        raise ConfigurationError(
            f"EVENTS: expected more than {_HORIZON_DAYS + 1} days of events, because a row needs a past and the "
            f"{_HORIZON_DAYS} days after it, found {days:,.1f} days; pass a longer history"
        )
    if not outcomes:
        raise ConfigurationError(
            f"--every: expected users at an instant that is {_HORIZON_DAYS} days before the end of the history, found "
            f"none in {days:,.1f} days; use a shorter step"
        )


def check_users(rows: Source) -> None:
    """Refuse rows of too few users.

    Raises:
        ConfigurationError: there are too few.
    """
    users = len(set(rows.users))
    if users < LEAST_USERS:
        raise ConfigurationError(
            f"EVENTS: expected at least {LEAST_USERS} users with events {_HORIZON_DAYS} days before the end of the "
            f"history, found {users}; pass more users"
        )


def check_buyers(trained: Source, held_out: Source) -> None:
    """Refuse rows of too few users who buy.

    Raises:
        ConfigurationError: too few users buy in the 30 days after a row, or had bought before one; or there are too few
            rows to judge on.
    """
    buyers, held_out_buyers = (_users(rows, rows.money > 0) for rows in (trained, held_out))
    if buyers < LEAST_BUYERS or held_out_buyers < LEAST_BUYERS_HELD_OUT:
        raise ConfigurationError(
            f"EVENTS: expected at least {LEAST_BUYERS} users to train on and {LEAST_BUYERS_HELD_OUT} held out who "
            f"spend something in the {_HORIZON_DAYS} days after a row, found {buyers} and {held_out_buyers}; pass more "
            "users, a longer history, or purchases with their prices"
        )
    customers = _users(trained, trained.values[:, INDEX["lifetime_purchases"]] >= 1)
    if customers < LEAST_BUYERS:
        raise ConfigurationError(
            f"EVENTS: expected at least {LEAST_BUYERS} users to train on with a purchase before a row, found "
            f"{customers}; pass more users, or a longer history"
        )
    if len(held_out.users) < LEAST_ROWS_HELD_OUT:
        raise ConfigurationError(
            f"EVENTS: expected at least {LEAST_ROWS_HELD_OUT} rows of users held out, found {len(held_out.users)}; "
            "pass more users, or a greater --holdout"
        )


def check_folds(trained: Source, rules: Rules) -> None:
    """Refuse rows of which a fold cannot be judged on, because all of its rows are followed by the same spend.

    Raises:
        ConfigurationError: there is such a fold.
    """
    fold_of_row = assign_folds(trained.users, rules.folds, rules.seed)
    for fold in np.unique(fold_of_row):
        money = trained.money[fold_of_row == fold]
        if money.min() == money.max():
            raise ConfigurationError(
                f"--folds: expected users who spend something in the {_HORIZON_DAYS} days after a row in each of "
                f"{rules.folds} folds, found a fold without; pass more users, fewer folds, or another --seed"
            )


def _users(rows: Source, chosen: NDArray[np.bool_]) -> int:
    return len({user for user, among in zip(rows.users, chosen.tolist(), strict=True) if among})
