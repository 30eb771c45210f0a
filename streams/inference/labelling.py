"""The tags and labels that go with a score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from features.observation import category_key
from features.tiles import CategoryTiles
from features.users.catalogue import SCALARS
from models.exceptions import LabelTableError
from models.labels.table import SHIPPED, LabelTable, Value, read_labels
from streams.exceptions import ConfigurationError
from streams.settings import DEFAULT_LABELS, Settings

MAX_TAGS: Final = 3
"""The categories a user showed most interest in, at most so many."""
INTEREST_DAYS: Final = 31
"""The days (UTC) that a window of 30 days touches."""


class Tagger:
    """Names the categories a user showed most interest in, from an artefact's closed list."""

    def __init__(self, categories: Iterable[str]) -> None:
        self._names = {category_key(name): name for name in categories}

    def tags(self, counts: Mapping[int, int]) -> list[str]:
        """Return up to `MAX_TAGS` categories by events of the last 30 days, ties by name."""
        named = [(-count, self._names[key]) for key, count in counts.items() if key in self._names]
        return [name for _, name in sorted(named)[:MAX_TAGS]]


def load_labels(settings: Settings) -> LabelTable:
    """Read the table of labels that the settings name.

    Raises:
        ConfigurationError: a table that cannot be used, in one line.
    """
    shipped = settings.labels == DEFAULT_LABELS
    path = SHIPPED if shipped else Path(settings.labels)
    try:
        # Whoever writes a table means its bounds.
        return read_labels(path, {scalar.name: scalar.integer for scalar in SCALARS}, keep_prices=not shipped)
    except LabelTableError as error:
        raise ConfigurationError(f"WHEREWITHAL_LABELS: {error}") from error


class Labeller:
    """Makes the labels of a score record: interests that fade, and those that a table of rules gives a feature row.

    Args:
        table: read for `features.users.catalogue.SCALARS`.
        categories: the artefact's closed list, by which interests are named.
    """

    def __init__(self, table: LabelTable, categories: Iterable[str]) -> None:
        self._table = table
        self._most = table.most_interests
        self._weights = table.weights(INTEREST_DAYS)
        self._names = {category_key(name): name for name in categories}

    def labels(self, row: Sequence[Value], tiles: CategoryTiles, instant: int) -> dict[str, Any]:
        """Return the labels of a user as of `instant` (ms), from the feature row and the category tiles of then."""
        price_band, lifecycle, intent = self._table.decide(row)
        return {
            "interests": self._interests(tiles.weighted(instant, self._weights)) if tiles.tiles else {},
            "price_band": price_band,
            "lifecycle": lifecycle,
            "intent": intent,
        }

    def _interests(self, weights: Mapping[int, int]) -> dict[str, float]:
        """Return the shares of the foremost listed categories among each other, the largest first, ties by name."""
        names = self._names
        # Negative weights sort the largest first without a key; so does the name that breaks a tie.
        ranked = sorted([(-weight, names[key]) for key, weight in weights.items() if weight and key in names])
        del ranked[self._most :]
        total = sum([weight for weight, _ in ranked])
        return {name: weight / total for weight, name in ranked}
