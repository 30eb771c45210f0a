"""Texts with the value known of each: cleaned, each once, and split so that no validation text was ever seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.finetuning.exceptions import FinetuningError
from models.text.cleaning import clean

VALIDATION_SHARE: Final = 0.15
STOPPING_SHARE: Final = 0.08
LEAST: Final = 10
"""Texts below which a part of the split measures nothing."""


class Kind(StrEnum):
    """The kind of value that is known of a text, by the name of its field."""

    LABEL = "label"
    """0 or 1, such as polarity: logistic loss."""
    TARGET = "target"
    """Any number, such as log1p of the writer's money in the next 30 days: squared error."""


class Row(NamedTuple):
    """A text as it comes.

    Attributes:
        text: as written.
        value: what is known of it.
        user: its writer, whose texts all fall into one part; None: the text stands for itself.
    """

    text: str
    value: float
    user: str | None = None


@dataclass(frozen=True)
class Texts:
    """n cleaned texts.

    Attributes:
        texts: n texts, as the encoder reads them.
        values: float64[n], 0 or 1 for labels.
        groups: n keys; texts of one key are never split.
        kind: what the values are.
    """

    texts: tuple[str, ...]
    values: NDArray[np.float64]
    groups: tuple[str, ...]
    kind: Kind

    def __len__(self) -> int:
        """Return n."""
        return len(self.texts)

    def __getitem__(self, chosen: Sequence[int]) -> Texts:
        """Return the texts at some indices, in their order."""
        return Texts(
            tuple(self.texts[index] for index in chosen),
            self.values[list(chosen)],
            tuple(self.groups[index] for index in chosen),
            self.kind,
        )

    def digest(self) -> str:
        """Return the hex SHA-256 of texts, values and groups."""
        whole = sha256(f"{self.kind}".encode() + self.values.tobytes())
        for part in (*self.texts, *self.groups):
            whole.update(part.encode(errors="surrogatepass") + b"\0")
        return whole.hexdigest()


class Split(NamedTuple):
    """Three parts that share no text and no group.

    Attributes:
        train: to fit on.
        stopping: decides when training ends and which weights are kept.
        validation: measured, and never used for a decision.
    """

    train: Texts
    stopping: Texts
    validation: Texts


def prepare(rows: Iterable[Row], kind: Kind) -> Texts:
    """Clean the texts and keep each once per writer.

    A text without a letter or digit is left out; so is one that is found under both labels, even from different
    writers. Several numbers of one text of one writer become their mean.
    """
    texts: dict[tuple[str, str], str] = {}
    values: dict[tuple[str, str], list[float]] = {}
    labels: dict[str, set[float]] = {}
    for row in rows:
        text = clean(row.text)
        key = _key(text)
        if not key:
            continue
        place = (f"text {key}" if row.user is None else f"user {row.user}", key)
        texts.setdefault(place, text)
        values.setdefault(place, []).append(row.value)
        labels.setdefault(key, set()).add(row.value)
    kept = [place for place in texts if kind is Kind.TARGET or len(labels[place[1]]) == 1]
    return Texts(
        tuple(texts[place] for place in kept),
        np.array([np.mean(values[place]) for place in kept], dtype=np.float64),
        tuple(group for group, _ in kept),
        kind,
    )


def split(texts: Texts, seed: int) -> Split:
    """Split by writer, or by text where no writer is known, the same way for the same seed and key.

    A text that a validation writer wrote too is taken out of the other parts, and one of a stopping writer out of
    training.

    Raises:
        FinetuningError: a part would be too small, or has one value only.
    """
    edges = np.cumsum([VALIDATION_SHARE, STOPPING_SHARE])
    parts: list[list[int]] = [[], [], []]
    for index, group in enumerate(texts.groups):
        parts[int(np.searchsorted(edges, share_of(f"{seed} {group}"), side="right"))].append(index)
    seen: set[str] = set()
    chosen = []
    for part in parts:
        own = [index for index in part if _key(texts.texts[index]) not in seen]
        seen.update(_key(texts.texts[index]) for index in own)
        chosen.append(texts[own])
    for name, one in zip(("validation", "stopping", "training"), chosen, strict=True):
        if len(one) < LEAST or np.ptp(one.values) == 0:
            raise FinetuningError(
                f"expected at least {LEAST} {name} texts with different values, found {len(one)} with "
                f"{len(set(one.values.tolist()))}: give more texts, of more writers"
            )
    validation, stopping, train = chosen
    return Split(train, stopping, validation)


def _key(text: str) -> str:
    """Return the letters and digits of a text without their case: texts that share them read the same."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def share_of(key: str) -> float:
    """Return a number in [0, 1) that depends on the key alone."""
    return int.from_bytes(sha256(key.encode(errors="surrogatepass")).digest()[:6]) / 2**48
