"""Keeping users apart from training, so that the scorer can be judged on them."""

from __future__ import annotations

import numpy as np

from models.artefact.holdout import Holdout
from streams.exceptions import ConfigurationError
from streams.offline.training.source import Source


def hold_out(source: Source, holdout: Holdout) -> tuple[Source, Source, Holdout]:
    """Divide rows by user.

    Returns:
        The rows to train on, those of the users held out, and the holdout with the numbers of these.

    Raises:
        ConfigurationError: nobody or everybody is held out.
    """
    held = np.array([holdout.holds_out(user) for user in source.users], dtype=np.bool_)
    kept, apart = source.where(~held), source.where(held)
    users, others = len(set(apart.users)), len(set(kept.users))
    if not users or not others:
        raise ConfigurationError(
            f"holdout: expected users on both sides of a share of {holdout.share:g}, found {users} held out and "
            f"{others} not; pass more users, or another share"
        )
    return kept, apart, holdout.counting(users, len(apart.users))
