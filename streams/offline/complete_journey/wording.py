"""The words of an item: what the shop calls it, from the product table's brand, category and type."""

from __future__ import annotations

import re
from typing import Final

_BETWEEN_WORDS: Final = re.compile(r"[^0-9a-z%'.]+")


def words(text: str | None) -> str:
    """Return a name of the product table in lower case, its words between single spaces; empty for none."""
    return " ".join(_BETWEEN_WORDS.sub(" ", (text or "").lower()).split())


def title(brand: str | None, category: str | None, kind: str | None) -> str:
    """Return the title of an item, such as "private cookies cones tray pack choc chip cookies".

    Args:
        brand: "Private" for a brand of the shop's own, "National" for any other.
        category: its product category.
        kind: its product type.
    """
    return " ".join(filter(None, map(words, (brand, category, kind))))
