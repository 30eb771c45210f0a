"""Rows of made-up shoppers, most of whom buy nothing."""

from __future__ import annotations

import numpy as np

from models.profile import WIDTH
from models.training.rows import TrainingRows

NAMES = ("views_30d", "spend_30d", "lifetime_spend", "mean_rating_30d", "days_since_last_purchase")
DAY_MS = 86_400_000


def spenders(n: int, seed: int = 0) -> TrainingRows:
    """Return n rows: the richer buy more often and more, a rating and a last purchase are often null."""
    rng = np.random.default_rng(seed)
    wealth = rng.gamma(2, 1, size=n)
    values = np.stack(
        [rng.poisson(3, n), 10 * wealth, 100 * wealth + rng.random(n), rng.integers(1, 6, n), rng.gamma(1, 40, n)],
        axis=1,
    ).astype(np.float64)
    values[rng.random(n) < 0.3, 3] = np.nan
    values[rng.random(n) < 0.2, 4] = np.nan
    profiles = rng.normal(size=(n, WIDTH))
    profiles /= np.linalg.norm(profiles, axis=1, keepdims=True)
    profiles[::3] = 0
    buys = rng.random(n) < 1 / (1 + np.exp(2 - wealth / 2))
    money = np.where(buys, np.exp(1 + wealth / 3 + rng.normal(size=n) * 0.5), 0.0)
    users = [str(i) for i in range(n)]
    return TrainingRows.checked(NAMES, values, profiles.astype(np.float32), money, users)


def users_of(n: int) -> list[str]:
    """Return ids, three rows a user."""
    return [f"user-{i // 3}" for i in range(n)]


def instants_of(n: int) -> np.ndarray:
    """Return the instants of a user's three rows: 60 days apart."""
    return (np.arange(n) % 3 * 60 + 100) * DAY_MS
