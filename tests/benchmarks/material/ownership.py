"""Who had which partition when, and how long events waited for their score: found from logs and records afterwards."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """A worker took a partition over, or let it go.

    Attributes:
        at: wall clock, s.
        partition: its number.
        process: number of the worker's process.
        name: of the worker, which outlives the process.
        holds: whether it took over.
    """

    at: float
    partition: int
    process: int
    name: str
    holds: bool


@dataclass(frozen=True)
class Owned:
    """What became of the partitions in a span of time.

    Attributes:
        moves: how often a partition came to another worker than the one that had it before.
        take_overs: how often a partition was taken over, by whichever worker.
        without_s: seconds without an owner, by partition.
    """

    moves: int
    take_overs: int
    without_s: dict[int, float]


def owned(changes: Iterable[Change], began: float, ended: float) -> Owned:
    """Return what became of the partitions from `began` to `ended`, wall clock in s."""
    of_partition: defaultdict[int, list[Change]] = defaultdict(list)
    for change in sorted(changes, key=lambda change: change.at):
        of_partition[change.partition].append(change)
    moves = take_overs = 0
    without: dict[int, float] = {}
    for partition, those in sorted(of_partition.items()):
        last: str | None = None
        owner: int | None = None
        free_since = began
        without[partition] = 0.0
        for change in (change for change in those if change.at <= ended):
            if change.holds:
                inside = change.at >= began
                if owner is None and inside:
                    without[partition] += change.at - max(began, free_since)
                take_overs += inside
                moves += inside and last is not None and last != change.name
                owner, last = change.process, change.name
            elif change.process == owner:
                # One that lets go after its successor has taken over leaves no gap.
                owner, free_since = None, change.at
        if owner is None:
            without[partition] += ended - max(began, free_since)
    return Owned(moves, take_overs, without)


def waits(
    events: Mapping[str, Sequence[tuple[int, float]]], scores: Mapping[str, Sequence[tuple[int, float]]]
) -> tuple[list[float], int]:
    """Return how long each event waited for the first score that covers it, s, and how many no score covers.

    Args:
        events: by user, (its number among the user's events, when it was due).
        scores: by user, (how many events of the user it covers, when it was seen).
    """
    found: list[float] = []
    uncovered = 0
    for user, those in events.items():
        seen: list[tuple[int, float]] = []
        for covered, at in sorted(scores.get(user, ()), key=lambda score: score[1]):
            if not seen or covered > seen[-1][0]:
                seen.append((covered, at))
        covers = [covered for covered, _ in seen]
        for number, due in those:
            place = bisect_left(covers, number)
            if place == len(seen):
                uncovered += 1
            else:
                found.append(seen[place][1] - due)
    return found, uncovered
