"""Segments: users chosen by their newest score record, counted by tier, lifecycle stage and price band."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from models.labels.table import INTENTS, LABELS, PRICE_BANDS, STAGES
from models.scoring.scorer import TIERS
from streams.exceptions import ConfigurationError

UNLABELLED: Final = "unlabelled"
"""The label of records that were written before there were labels."""

INTEREST: Final = "interest"

CLOSED: Final[Mapping[str, Sequence[str]]] = {
    "tier": TIERS,
    **{field: (*values, UNLABELLED) for field, values in LABELS.items()},
}
"""The fields of a condition with their values; the field `interest` takes any value."""

Record = Mapping[str, Any]
Wanted = Mapping[str, frozenset[str]]
"""Accepted values by field. A record meets the conditions if it has an accepted value of every field."""


def parse_conditions(conditions: Iterable[str]) -> Wanted:
    """Read conditions such as `tier=high`; several of one field accept any of their values.

    Raises:
        ConfigurationError: not `FIELD=VALUE`, an unknown field, or a value that no record has.
    """
    wanted: dict[str, frozenset[str]] = {}
    for condition in conditions:
        field, equals, value = condition.partition("=")
        if not (equals and value) or field not in (*CLOSED, INTEREST):
            raise ConfigurationError(
                f"--where: expected FIELD=VALUE with one of {', '.join((*CLOSED, INTEREST))}, found {condition!r}"
            )
        if field != INTEREST and value not in CLOSED[field]:
            raise ConfigurationError(f"--where: expected {field}={'|'.join(CLOSED[field])}, found {condition!r}")
        wanted[field] = wanted.get(field, frozenset()) | {value}
    return wanted


def matches(record: Record, wanted: Wanted) -> bool:
    """Tell whether a record has an accepted value of every field."""
    return all(not accepted.isdisjoint(_values(record, field)) for field, accepted in wanted.items())


@dataclass(frozen=True)
class Segments:
    """The numbers of users by kind.

    Attributes:
        users: number of all users.
        cells: numbers by (tier, lifecycle stage, price band), the foremost first; empty cells are left out.
        intents: numbers by intent.
        interests: numbers by category of interest, the most frequent first.
    """

    users: int
    cells: Mapping[tuple[str, str, str], int]
    intents: Mapping[str, int]
    interests: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return the object that `scores --segments --json` prints."""
        names = ("tier", "lifecycle", "price_band")
        return {
            "users": self.users,
            "segments": [dict(zip(names, cell, strict=True)) | {"users": count} for cell, count in self.cells.items()],
            "intents": dict(self.intents),
            "interests": dict(self.interests),
        }


def count_segments(records: Iterable[Record]) -> Segments:
    """Count the users of these records, one record of each."""
    cells: Counter[tuple[str, str, str]] = Counter()
    intents: Counter[str] = Counter()
    interests: Counter[str] = Counter()
    for record in records:
        cells[record["tier"], _label(record, "lifecycle"), _label(record, "price_band")] += 1
        intents[_label(record, "intent")] += 1
        # As a list, because a counter would add up the shares of a mapping.
        interests.update(list(_values(record, INTEREST)))
    ranks = [{name: rank for rank, name in enumerate(names)} for names in (TIERS[::-1], STAGES, PRICE_BANDS)]
    last = max(map(len, ranks))

    def place(cell: tuple[str, str, str]) -> list[int]:
        return [rank.get(name, last) for rank, name in zip(ranks, cell, strict=True)]

    return Segments(
        users=cells.total(),
        cells={cell: cells[cell] for cell in sorted(cells, key=place)},
        intents={intent: intents[intent] for intent in (*INTENTS, UNLABELLED) if intents[intent]},
        interests=dict(sorted(interests.items(), key=lambda item: (-item[1], item[0]))),
    )


def _label(record: Record, field: str) -> str:
    labels: Mapping[str, str] = record.get("labels") or {}
    return labels.get(field, UNLABELLED)


def _values(record: Record, field: str) -> Iterable[str]:
    if field == INTEREST:
        interests: Iterable[str] = (record.get("labels") or {}).get("interests", ())
        return interests
    return (record["tier"] if field == "tier" else _label(record, field),)
