"""The fields by which items are ordered: any number of their records, or a name for what is asked for most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from streams.exceptions import ConfigurationError
from streams.operating.top_records import Height, HeightOf

NAMED: Final[Mapping[str, str]] = {
    "revenue": "revenue_7d",
    "units": "units_7d",
    "demand": "demand.trend.low",
    "gap": "rating_text_gap_30d",
    "risk": "risk.score",
}
"""Names for fields. A field within a block stands behind the block's name and a dot.

Demand is ordered by the least rise that may be believed: the ratio itself is greatest where two sales follow on one.
"""

_GAP: Final = NAMED["gap"]
"""Text better than the rating is as far off as text worse than the rating: its size counts, not its sign."""


def number_at(record: Mapping[str, Any], field: str) -> float | None:
    """Return the number that stands at a field of a record, blocks parted by dots; None if none stands there."""
    found: Any = record
    for name in field.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def field_of(name: str) -> str:
    """Return the field that is meant: by one of `NAMED`, or by itself.

    Raises:
        ConfigurationError: the words are no name of a field.
    """
    if not all(part.isidentifier() for part in name.split(".")):
        raise ConfigurationError(
            f"--by: expected {', '.join(NAMED)}, or a field of the record such as views_24h or risk.score, "
            f"found {name!r}"
        )
    return NAMED.get(name, name)


def height_by(field: str) -> HeightOf:
    """Return what orders items by a field, the greatest first; an item without a number there is left out."""

    def height(record: Mapping[str, Any]) -> Height | None:
        number = number_at(record, field)
        return None if number is None else (abs(number) if field == _GAP else number,)

    return height
