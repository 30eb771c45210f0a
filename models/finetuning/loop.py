"""The training loop: steps, evaluations, checkpoints, and the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.finetuning import checkpoint
from models.finetuning.adapting import Adapted, Head, embed_all
from models.finetuning.augmenting import edit
from models.finetuning.batches import Batches
from models.finetuning.checkpoint import Progress
from models.finetuning.options import EPOCHS, Options
from models.finetuning.probe import Numbers, figures, predict, probability
from models.finetuning.steps import share_of_rate, take_step
from models.finetuning.texts import Kind, Split, Texts

WEIGHT_DECAY: Final = 0.01
TOKEN_RATE: Final = 5.0
"""Of the embeddings of tokens, times the learning rate: a token is in few of the batches."""
LOSS: Final = "mean_squared_error"
"""The measure that decides, which the ridge probe minimises too."""

Tokenize = Callable[[Sequence[str]], list[list[int]]]
Watch = Callable[[dict[str, float]], None]
Told = Callable[[str, int, int], None]
"""Called with what is done, the steps done, and the steps in all as far as can be told by now."""


def shortened(tokens: Sequence[list[int]], limit: int) -> list[list[int]]:
    """Cut lists of token ids to a limit; the last id, which closes a text, stays."""
    return [one if len(one) <= limit else [*one[: limit - 1], one[-1]] for one in tokens]


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


@dataclass(kw_only=True)
class Loop:
    """A training run.

    Attributes:
        adapted: the model to train, adapted already, its head set.
        tokenize: from texts to token ids.
        split: the texts.
        options: how to train.
        path: of the checkpoint.
        fingerprint: of the run.
        watch: told every point of the curve.
        told: how far the training is.
    """

    adapted: Adapted
    tokenize: Tokenize
    split: Split
    options: Options
    path: Path
    fingerprint: str
    watch: Watch
    told: Told

    def __post_init__(self) -> None:
        """Tokenise, and put the texts in order."""
        self._tokens = [self._tokenized(part.texts) for part in self.split]
        self._batches = Batches(list(map(len, self._tokens[0])), self.options.batch_size, self.options.seed)
        self._scaling = scaling(self.split.train)
        self._values = torch.from_numpy(self._scaling.shrink(self.split.train.values)).float()
        self._kind = self.split.train.kind
        self.steps = self.options.steps or EPOCHS * self._batches.per_pass
        self._every = self.options.evaluate_every or max(1, self._batches.per_pass // 2)
        self._optimiser = torch.optim.AdamW(self._weight_groups(), weight_decay=WEIGHT_DECAY)

    def run(self, resume: bool) -> Progress:
        """Train to the end and leave the best weights in `adapted`.

        Args:
            resume: go on from the checkpoint, where there is one.

        Raises:
            FinetuningError: the checkpoint is of another run, or damaged.
        """
        progress = (checkpoint.load(self.path, self.fingerprint) if resume else None) or Progress()
        if progress.weights:
            self._restore(progress.weights)
            self._optimiser.load_state_dict(progress.optimiser)
        began = time.monotonic() - progress.seconds
        losses: list[float] = []
        if not progress.curve:
            self._evaluate(progress, losses)
        while progress.ended is None:
            losses.append(self._step(progress.step, time.monotonic() - began))
            progress.step += 1
            progress.seconds = time.monotonic() - began
            progress.ended = self._end(progress)
            # Time may be up before the steps are taken.
            done = min(1.0, self._done(progress.step, progress.seconds))
            self.told("steps of training", progress.step, round(progress.step / done))
            if progress.step % self._every == 0 or progress.ended:
                self._evaluate(progress, losses)
                losses.clear()
                progress.seconds = time.monotonic() - began
                if progress.ended is None and progress.since_best >= self.options.patience:
                    progress.ended = "no better for a while"
                self._save(progress)
        self._restore(progress.best)
        return progress

    def predictions(self, part: Texts, tokens: Sequence[Sequence[int]]) -> Numbers:
        """Return probabilities of labels, or numbers, float64[n], by the weights of now as a worker would run them."""
        embeddings = embed_all(self.adapted.snapshot(), tokens, self.adapted.padding, self.adapted.device)
        found = predict(self.adapted.get_head(), embeddings)
        return probability(found) if part.kind is Kind.LABEL else self._scaling.restore(found)

    def _tokenized(self, texts: Sequence[str]) -> list[list[int]]:
        return shortened(self.tokenize(texts), self.options.max_tokens)

    def _step(self, step: int, seconds: float) -> float:
        # Of seed and step alone, so that a run that goes on draws what it would have drawn.
        torch.manual_seed(self.options.seed * 1_000_003 + step)
        for group in self._optimiser.param_groups:
            group["lr"] = group["highest"] * share_of_rate(self._done(step, seconds))
        chosen = self._batches.at(step)
        return take_step(
            self.adapted,
            self._optimiser,
            self._texts_of(step, chosen),
            self._values[chosen],
            self._kind,
            fgm=self.options.fgm,
        )

    def _texts_of(self, step: int, chosen: Sequence[int]) -> list[list[int]]:
        random = np.random.default_rng([self.options.seed, step])
        edited = [index for index in chosen if random.random() < self.options.augment]
        tokens = {index: self._tokens[0][index] for index in chosen}
        if edited:
            texts = [edit(self.split.train.texts[index], random) for index in edited]
            tokens |= zip(edited, self._tokenized(texts), strict=True)
        return [tokens[index] for index in chosen]

    def _done(self, step: int, seconds: float) -> float:
        limit = self.options.minutes
        return max(step / self.steps, 0.0 if limit is None else seconds / (60 * limit))

    def _end(self, progress: Progress) -> str | None:
        if progress.step >= self.steps:
            return "all steps taken"
        return "time is up" if self._done(progress.step, progress.seconds) >= 1 else None

    def _evaluate(self, progress: Progress, losses: Sequence[float]) -> None:
        point = {"step": float(progress.step), "seconds": round(progress.seconds, 1)}
        if losses:
            point["train_loss"] = float(np.mean(losses))
        for name, part, tokens in zip(Split._fields[1:], self.split[1:], self._tokens[1:], strict=True):
            measured = figures(self.predictions(part, tokens), part.values, part.kind)
            point |= {f"{name}_{figure}": value for figure, value in measured.items()}
        progress.curve.append(point)
        loss = point[f"stopping_{LOSS}"]
        progress.since_best += 1
        if loss < progress.best_loss:
            progress.best_loss, progress.best, progress.since_best = loss, self._weights(), 0
        self.watch(point)

    def _weight_groups(self) -> list[dict[str, Any]]:
        trained, rows = self.adapted.trained(), self.adapted.token_rows()
        rest = [weight for name, weight in trained.items() if name not in rows]
        groups = [{"params": rest, "lr": 0.0, "highest": self.options.rate}]
        if rows:
            groups.append({"params": list(rows.values()), "lr": 0.0, "highest": TOKEN_RATE * self.options.rate})
        return groups

    def _weights(self) -> dict[str, Tensor]:
        return {name: weight.detach().cpu().clone() for name, weight in self.adapted.trained().items()}

    def _restore(self, weights: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, weight in self.adapted.trained().items():
                weight.copy_(weights[name])

    def _save(self, progress: Progress) -> None:
        progress.weights, progress.optimiser = self._weights(), self._optimiser.state_dict()
        checkpoint.save(self.path, progress, self.fingerprint)
