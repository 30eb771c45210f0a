"""Tiles as states hold them: perhaps of fewer columns than there are now, and with integers past 64 bits as text."""

from __future__ import annotations

from itertools import chain
from operator import gt

from features.exceptions import StateFormatError

BigInt = int | str
"""An integer that may pass 64 bits: MessagePack has none wider, so such a one travels as decimal text."""

Stored = tuple[list[BigInt], list[BigInt], list[BigInt]]
"""The tiles of each level, one after another."""


def as_wide_as_now(stored: Stored, widths: tuple[int, ...], known: tuple[int, ...]) -> Stored:
    """Return tiles with the columns that were introduced since they were stored, all zero.

    Args:
        stored: the tiles of each level.
        widths: how many integers a tile of each level has there.
        known: how many it has now.

    Raises:
        StateFormatError: they have columns, or levels, that this program does not know, or are cut off.
    """
    if len(widths) != len(known) or any(map(gt, widths, known)):
        raise StateFormatError(
            f"expected tiles of at most {known} integers, found {widths}: "
            "run the release that wrote them, or a later one"
        )
    if any(width < 1 or len(flat) % width for flat, width in zip(stored, widths, strict=True)):
        raise cut_off(widths)
    if widths == known:
        return stored
    short, middle, long = map(_padded, stored, widths, known)
    return short, middle, long


def cut_off(widths: tuple[int, ...]) -> StateFormatError:
    """Return the error for a level that does not hold a whole number of tiles."""
    return StateFormatError(f"expected tiles of {widths} integers, found damaged ones: one is cut off")


def narrow(numbers: list[BigInt]) -> list[int]:
    """Return integers with those of them as integers that travelled as text."""
    # Text among them is very rare, and to look for it costs a quarter of converting all.
    if str in set(map(type, numbers)):
        return [int(number) for number in numbers]
    return numbers  # type: ignore[return-value]


def _padded(flat: list[BigInt], width: int, known: int) -> list[BigInt]:
    missing = [0] * (known - width)
    return list(chain.from_iterable((*flat[at : at + width], *missing) for at in range(0, len(flat), width)))
