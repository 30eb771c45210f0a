"""What a comparison of served rows with a history has found, of users or of items.

A key is a user's or an item's id.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

VECTOR_TOLERANCE: Final = 1e-5
"""The largest difference between elements of two vectors that count as equal."""


class Difference(NamedTuple):
    """A logged row that the history contradicts: both values of each feature that differs."""

    key: str
    instant: int
    revision: int
    emitted_at: int
    features: dict[str, tuple[Any, Any]]


@dataclass
class Report:
    """The result of a comparison, in rows unless said otherwise.

    Attributes:
        equal: rows that equal the fold of the whole history.
        late: rows that equal the fold of the events that had arrived.
        mismatches: rows that equal neither.
        extra: rows of users or items of which nothing happened by then.
        erased: rows of users erased since, which the remaining events do not explain.
        missing: sampled users or items of the history without a logged row.
        vectors_not_compared: rows whose vectors come from another encoder than the one loaded; the rest is compared.
        features_not_logged: names of the features that some part of the log lacks; they are not compared there.
        share: the share of keys that the log samples.
        differences: the first mismatches.
        extra_keys, missing_keys: the first of these.
    """

    limit: int
    share: float = 1.0
    logged: int = 0
    equal: int = 0
    late: int = 0
    mismatches: int = 0
    extra: int = 0
    erased: int = 0
    missing: int = 0
    vectors_not_compared: int = 0
    features_not_logged: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    extra_keys: list[str] = field(default_factory=list)
    missing_keys: list[str] = field(default_factory=list)

    def name(self, keys: list[str], key: str) -> None:
        """Add a key to one of these lists, unless it is full."""
        if len(keys) < self.limit:
            keys.append(key)
