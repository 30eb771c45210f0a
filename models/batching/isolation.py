"""Finding the item that breaks a piece of work, so that it is rejected alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias, TypeVar

from models.exceptions import DeviceLostError, EncoderUnavailableError, TextRejectedError

T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S")

Outcome: TypeAlias = R | TextRejectedError | EncoderUnavailableError
"""The outcome of one item: its result, or why there is none."""

Isolated: TypeAlias = tuple[list[Outcome[R]], int]
"""The outcome of each item, and how many calls failed on the way."""


def isolate(work: Callable[[Sequence[T]], list[R]], items: Sequence[T], probe: Callable[[], object]) -> Isolated[R]:
    """Do the work on all items, and on a failure halve them until the one that fails alone is found.

    An item is rejected when it fails by itself, a probe then succeeds, and it fails again: so a fault that passes
    in between rejects nothing. When the probe fails too, all items without a result are left undone.

    Args:
        work: gives one result per item, or raises anything.
        items: what to work on.
        probe: raises when the fault does not lie in an item.

    Returns:
        For each item its result or its error, and how many calls failed.
    """
    failures = 0

    def attempt(call: Callable[[], S]) -> S | _Failure:
        nonlocal failures
        try:
            return call()
        except BaseException as error:  # noqa: BLE001 - a panic of the tokenizer's Rust code is no Exception
            failures += 1
            return _Failure(type(error).__name__, str(error).partition("\n")[0])

    outcomes: list[Outcome[R] | None] = [None] * len(items)
    parts = [slice(0, len(items))] if items else []
    while parts:
        part = parts.pop()
        call = partial(_work_on, work, items[part])
        done: Sequence[Outcome[R]] | _Failure = attempt(call)
        if isinstance(done, _Failure) and part.stop - part.start == 1:
            probed = attempt(probe)
            if isinstance(probed, _Failure):
                error = DeviceLostError if probed.lost else EncoderUnavailableError
                down = error(
                    f"expected an encoder that works, found that a probe text fails too ({probed.kind}: "
                    f"{probed.message}): check the device's memory and the model's files, then ask again"
                )
                return [down if outcome is None else outcome for outcome in outcomes], failures
            done = attempt(call)
            if isinstance(done, _Failure):
                rejected = TextRejectedError(
                    f"expected a text that can be encoded, found one that fails alone ({done.kind}) while a probe "
                    "text succeeds: leave it out"
                )
                done = [rejected]
        if isinstance(done, _Failure):
            middle = (part.start + part.stop) // 2
            parts += [slice(middle, part.stop), slice(part.start, middle)]
        else:
            outcomes[part] = done
    return [outcome for outcome in outcomes if outcome is not None], failures


@dataclass(frozen=True, slots=True)
class _Failure:
    # Words only: the error's traceback would hold the failed pass's memory while its halves are tried.
    kind: str
    message: str

    @property
    def lost(self) -> bool:
        """Whether it is of the kind after which a process can call the device no more: CUDA's own, but for memory."""
        return self.kind == "AcceleratorError" or self.message.startswith("CUDA error")


def _work_on(work: Callable[[Sequence[T]], list[R]], items: Sequence[T]) -> list[R]:
    results = work(items)
    if len(results) != len(items):
        raise EncoderUnavailableError(f"expected {len(items)} results, found {len(results)}: mend the encoder")
    return results
