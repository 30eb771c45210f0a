"""What is served of an entity: its feature views in Feast 0.67's layout, and how rows fill them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final, Generic

from features.online.keys import EntityKeys
from features.online.rows import R

PROJECT: Final = "wherewithal"


class Kind(Enum):
    """The types of a feature, by Feast's names."""

    INT64 = auto()
    FLOAT64 = auto()
    STRING = auto()
    FLOAT32_ARRAY = auto()


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of a view."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class View:
    """One feature view of an entity."""

    name: str
    features: tuple[Feature, ...]


Column = Sequence[Any]
"""One feature of every row of a batch."""


@dataclass(frozen=True, slots=True)
class Extra(Generic[R]):
    """A view of those keys alone whose row has something for it.

    Attributes:
        view: the view.
        columns: transposes such rows into one column per feature.
        has: whether a row is such a one.
    """

    view: View
    columns: Callable[[Sequence[R]], list[Column]]
    has: Callable[[R], bool]


@dataclass(frozen=True, slots=True)
class Serving(Generic[R]):
    """What is served of an entity.

    Attributes:
        entity: its name in Feast.
        join_key: what its key is called.
        views: of every key. Feast knows a key by the timestamp of the first.
        columns: transposes rows into one column per feature, in the order of `views`.
        extra: one more view, of some keys; None without one.
        keys: makes the entity keys of it.
    """

    entity: str
    join_key: str
    views: tuple[View, ...]
    columns: Callable[[Sequence[R]], list[Column]]
    extra: Extra[R] | None = None
    keys: EntityKeys = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", EntityKeys(self.join_key))

    @property
    def stored(self) -> tuple[View, ...]:
        """All that a store may hold of a key, and that a removal takes out."""
        return self.views if self.extra is None else (*self.views, self.extra.view)


def transposed(records: Iterable[tuple[Any, ...]]) -> list[Column]:
    """Return the columns of records that have one value per feature."""
    return list(zip(*records, strict=True))
