"""The account of a fault: how many events went through it, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

HEAD: Final = (
    "| what was done | events | lost | doubled | facts lost | facts doubled | silence of scores, s | of signals, s |"
)
RULE: Final = "|---|---|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Account:
    """One row.

    Attributes:
        done: what was done, in words.
        events: records that were published.
        lost: events that count in nobody's features.
        doubled: events that count once too often.
        facts_lost: facts of these events that count in no item's features.
        facts_doubled: facts that count once too often.
        silence_s: the longest time without a score in a partition.
        items_silence_s: the longest time without an item's signals in a partition.
    """

    done: str
    events: int
    lost: int
    doubled: int
    facts_lost: int
    facts_doubled: int
    silence_s: float
    items_silence_s: float


def lost_and_doubled(
    wanted: Mapping[str, Mapping[str, Any]], found: Mapping[str, Mapping[str, Any]]
) -> tuple[int, int]:
    """Compare the number of events or facts that each user's or item's features count with what they have to."""
    off = [found.get(key, {"revision": 0})["revision"] - features["revision"] for key, features in wanted.items()]
    return -sum(number for number in off if number < 0), sum(number for number in off if number > 0)


def table(accounts: Sequence[Account]) -> list[str]:
    """Return the lines of the table, as Markdown."""
    return [HEAD, RULE, *map(_row, accounts)]


def with_accounts(page: str, accounts: Sequence[Account]) -> str:
    """Return a page with these accounts in its table of faults, in place of earlier ones of the same faults.

    Raises:
        ValueError: it has no such table.
    """
    head = f"{HEAD}\n{RULE}\n"
    before, found, behind = page.partition(head)
    if not found:
        raise ValueError(f"expected a page with the line {HEAD!r}, found none")
    lines = behind.splitlines()
    length = next((number for number, line in enumerate(lines) if not line.startswith("|")), len(lines))
    rows = {done_in(row): row for row in lines[:length]} | {one.done: _row(one) for one in accounts}
    return before + head + "".join(f"{line}\n" for line in (*rows.values(), *lines[length:]))


def done_in(row: str) -> str:
    """Return what was done, as a line of the table says."""
    return row.split("|")[1].strip()


def _row(one: Account) -> str:
    counts = (one.events, one.lost, one.doubled, one.facts_lost, one.facts_doubled)
    cells = [*(f"{count:,}" for count in counts), f"{one.silence_s:.1f}", f"{one.items_silence_s:.1f}"]
    return f"| {one.done} | {' | '.join(cells)} |"
