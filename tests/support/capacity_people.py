"""People whose label shows in their behaviour and in their titles, and people of whom neither says anything."""

from __future__ import annotations

import numpy as np

from models.profile import WIDTH
from models.scoring.standardising import Transform
from models.training.capacity.people import Labelled, People

NAMES = ("spend_30d", "views_1h", "never", "lifetime_orders")


def people(count: int = 300, *, text: float = 1.0, behaviour: float = 1.0, seed: int = 0) -> tuple[People, np.ndarray]:
    """Return people, and the trait that their labels are to follow: float64 [count].

    Args:
        count: of them.
        text: how strongly the taste vector follows the trait.
        behaviour: how strongly the spend does.
        seed: of the generator.
    """
    rng = np.random.default_rng(seed)
    trait = rng.normal(size=count)
    spend = np.exp(behaviour * trait + rng.normal(size=count))
    values = np.column_stack([spend, rng.poisson(2, count), np.zeros(count), rng.poisson(9, count)])
    direction = rng.normal(size=WIDTH) / 8
    taste = text * trait[:, np.newaxis] * direction + rng.normal(size=(count, WIDTH)) / 8
    taste /= np.linalg.norm(taste, axis=1, keepdims=True)
    return People(
        names=NAMES,
        values=values.astype(np.float64),
        vectors=np.hstack([np.zeros_like(taste), taste]),
        transforms={"views_1h": Transform.IDENTITY},
        windows={"spend_30d": 30.0, "views_1h": 1 / 24},
    ), trait


def labelled(labels: np.ndarray) -> Labelled:
    """Give the first people these labels."""
    count = len(labels)
    return Labelled(tuple(f"u{i:04}" for i in range(count)), np.arange(count), np.asarray(labels, dtype=np.float64))
