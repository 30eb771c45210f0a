"""How an encoder is adapted."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Final

from models.finetuning.exceptions import FinetuningError

LORA_RATE: Final = 1e-3
FULL_RATE: Final = 2e-4
EPOCHS: Final = 3
"""Passes over the texts when no number of steps is given: more of them learn the reviews by heart."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Everything that decides the outcome beside data and encoder.

    Attributes:
        full: train every weight; else low-rank adapters of the linear layers (Hu et al. 2021) and the embeddings of
            the tokens that the training texts have.
        rank: of the adapters.
        learning_rate: the highest one; None takes what suits `full`.
        steps: batches to train on at most; None: `EPOCHS` passes.
        minutes: wall-clock limit of the training loop, probes left out; None: no limit. A limit decides the learning
            rate too, so that only a run without one repeats exactly.
        batch_size: texts per step.
        max_tokens: of a text in training and in the curve; a longer one is cut.
        widen: let the tokenizer know the ideographs of the training texts that it does not know yet.
        fgm: length of the adversarial step on a text's embeddings; 0 leaves it out.
        augment: share of the texts that are edited, anew in each pass.
        evaluate_every: steps between two points of the curve, which are also the checkpoints; None: four per pass.
        patience: evaluations without a better loss on the stopping texts after which training ends.
        precision: `float32` or `bfloat16` (products only); None: bfloat16 where the device has instructions for it.
        seed: of the split, the order, the edits, dropout and the adapters.
    """

    full: bool = False
    rank: int = 8
    learning_rate: float | None = None
    steps: int | None = None
    minutes: float | None = None
    batch_size: int = 32
    max_tokens: int = 64
    widen: bool = True
    fgm: float = 0.0
    augment: float = 0.0
    evaluate_every: int | None = None
    patience: int = 4
    precision: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with."""
        for name in ("rank", "batch_size", "patience", "max_tokens", "steps", "evaluate_every", "minutes", "rate"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise FinetuningError(f"expected {name} above 0, found {value}: give another")
        if self.precision not in (None, "float32", "bfloat16"):
            raise FinetuningError(f"expected precision float32 or bfloat16, found {self.precision}: give one of them")
        if not self.fgm >= 0:
            raise FinetuningError(f"expected an adversarial step of 0 or more, found {self.fgm}: give another")
        if not 0 <= self.augment <= 1:
            raise FinetuningError(f"expected a share of edited texts from 0 to 1, found {self.augment}: give another")

    @property
    def rate(self) -> float:
        """The highest learning rate."""
        if self.learning_rate is not None:
            return self.learning_rate
        return FULL_RATE if self.full else LORA_RATE

    def fingerprint(self, *parts: str) -> str:
        """Return the hex SHA-256 of all but the time limit, and of `parts`: a run goes on only under the same."""
        told = asdict(self) | {"minutes": None, "parts": parts}
        return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
