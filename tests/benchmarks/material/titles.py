"""Titles of items: as many as are asked for, each as long as a shop's are, and none twice."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Final

_MAKERS: Final = ("Harbour Mill", "Nordby", "Casa Verde", "Old Orchard", "Kestrel", "Sunday Best", "Blue Door")
_KINDS: Final = ("organic", "smoked", "family size", "unsalted", "gluten free", "extra large", "seasonal")
_ITEMS: Final = ("oat milk", "rye bread", "olive oil", "laundry liquid", "dog biscuits", "ground coffee", "tea towels")


def titles(seed: int) -> Iterator[str]:
    """Yield titles without end."""
    for number in count(seed * 10_000_000):
        maker, rest = _MAKERS[number % 7], number // 7
        yield f"{maker} {_KINDS[rest % 7]} {_ITEMS[rest // 7 % 7]}, {number} g"
