"""The account of a fault: how many events went through it, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

HEAD: Final = "| what was done | events | lost | doubled | longest silence, s |"


@dataclass(frozen=True)
class Account:
    """One row.

    Attributes:
        done: what was done, in words.
        events: records that were published.
        lost: events that count in nobody's features.
        doubled: events that count once too often.
        silence_s: the longest time without a score in a partition.
    """

    done: str
    events: int
    lost: int
    doubled: int
    silence_s: float


def lost_and_doubled(
    wanted: Mapping[str, Mapping[str, Any]], found: Mapping[str, Mapping[str, Any]]
) -> tuple[int, int]:
    """Compare the number of events that each user's features count with the number that they have to."""
    off = [found.get(user, {"revision": 0})["revision"] - features["revision"] for user, features in wanted.items()]
    return -sum(number for number in off if number < 0), sum(number for number in off if number > 0)


def table(accounts: Sequence[Account]) -> list[str]:
    """Return the lines of the table, as Markdown."""
    rows = [
        f"| {row.done} | {row.events:,} | {row.lost:,} | {row.doubled:,} | {row.silence_s:.1f} |" for row in accounts
    ]
    return [HEAD, "|---|---|---|---|---|", *rows]


def with_table(page: str, lines: Sequence[str]) -> str:
    """Return a page with the rows of its table of faults replaced.

    Raises:
        ValueError: it has no such table.
    """
    before, found, behind = page.partition(HEAD + "\n")
    if not found:
        raise ValueError(f"expected a page with the line {HEAD!r}, found none")
    rest = behind.splitlines(keepends=True)
    while rest and rest[0].startswith("|"):
        del rest[0]
    return before + "".join(f"{line}\n" for line in lines) + "".join(rest)
