"""Learning what is known of a text: a label, or a number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import torch

from models.finetuning.adapting import Adapted, Head, embed_all
from models.finetuning.augmenting import edit
from models.finetuning.batches import Batches
from models.finetuning.loop import shortened
from models.finetuning.options import Options
from models.finetuning.probe import Numbers, figures, predict, probability
from models.finetuning.steps import take_step
from models.finetuning.texts import Kind, Split, Texts

LOSS: Final = "mean_squared_error"
"""The measure that decides, which the ridge probe minimises too."""

Tokenize = Callable[[Sequence[str]], list[list[int]]]


class Scaling(NamedTuple):
    """Scaling that makes numbers of any unit fit to learn: (x - mean) / scale; labels stay as they are."""

    mean: float
    scale: float

    def shrink(self, values: Numbers) -> Numbers:
        """Return the numbers to learn."""
        return (values - self.mean) / self.scale

    def restore(self, values: Numbers) -> Numbers:
        """Return numbers in their own unit."""
        return values * self.scale + self.mean

    def head(self, head: Head) -> Head:
        """Turn a head that was learnt into one in the unit of the numbers."""
        return Head(head.weight * self.scale, head.bias * self.scale + self.mean)


def scaling(texts: Texts) -> Scaling:
    """Return the scaling of the values of some texts, which are not all equal."""
    if texts.kind is Kind.LABEL:
        return Scaling(0.0, 1.0)
    return Scaling(float(texts.values.mean()), float(texts.values.std()))


class Labelled:
    """The task of telling the value of each text; its head is that of the model.

    Args:
        adapted: the model, adapted already, its head set.
        tokenize: from texts to token ids.
        split: the texts.
        options: how to train.
    """

    loss: Final = f"stopping_{LOSS}"

    def __init__(self, adapted: Adapted, tokenize: Tokenize, split: Split, options: Options) -> None:
        self._adapted = adapted
        self._tokenize = tokenize
        self._split = split
        self._options = options
        self._tokens = [self._tokenized(part.texts) for part in split]
        self._batches = Batches(list(map(len, self._tokens[0])), options.batch_size, options.seed)
        self._scaling = scaling(split.train)
        self._values = torch.from_numpy(self._scaling.shrink(split.train.values)).float()
        self.per_pass: int = self._batches.per_pass

    def step(self, step: int, optimiser: torch.optim.Optimizer) -> float:
        """Train on one batch and return its loss."""
        chosen = self._batches.at(step)
        return take_step(
            self._adapted,
            optimiser,
            self._texts_of(step, chosen),
            self._values[chosen],
            self._split.train.kind,
            fgm=self._options.fgm,
        )

    def measure(self) -> dict[str, float]:
        """Return the figures of stopping and validation texts, cut as in training."""
        found: dict[str, float] = {}
        for name, part, tokens in zip(Split._fields[1:], self._split[1:], self._tokens[1:], strict=True):
            measured = figures(self.predictions(part, tokens), part.values, part.kind)
            found |= {f"{name}_{figure}": value for figure, value in measured.items()}
        return found

    def predictions(self, part: Texts, tokens: Sequence[Sequence[int]]) -> Numbers:
        """Return probabilities of labels, or numbers, float64[n], by the weights of now as a worker would run them."""
        embeddings = embed_all(self._adapted.snapshot(), tokens, self._adapted.padding, self._adapted.device)
        found = predict(self._adapted.get_head(), embeddings)
        return probability(found) if part.kind is Kind.LABEL else self._scaling.restore(found)

    def _tokenized(self, texts: Sequence[str]) -> list[list[int]]:
        return shortened(self._tokenize(texts), self._options.max_tokens)

    def _texts_of(self, step: int, chosen: Sequence[int]) -> list[list[int]]:
        random = np.random.default_rng([self._options.seed, step])
        edited = [index for index in chosen if random.random() < self._options.augment]
        tokens = {index: self._tokens[0][index] for index in chosen}
        if edited:
            texts = [edit(self._split.train.texts[index], random) for index in edited]
            tokens |= zip(edited, self._tokenized(texts), strict=True)
        return [tokens[index] for index in chosen]
