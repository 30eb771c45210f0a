"""The training loop: steps, evaluations, checkpoints, and the end; the same for everything an encoder can learn."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import torch
from torch import Tensor

from models.finetuning import checkpoint
from models.finetuning.adapting import Adapted
from models.finetuning.checkpoint import Progress
from models.finetuning.options import Options
from models.finetuning.steps import share_of_rate

WEIGHT_DECAY: Final = 0.01
TOKEN_RATE: Final = 5.0
"""Of the embeddings of tokens, times the learning rate: a token is in few of the batches."""

Watch = Callable[[dict[str, float]], None]
Told = Callable[[str, int, int], None]
"""Called with what is done, the steps done, and the steps in all as far as can be told by now."""


class Task(Protocol):
    """What an encoder learns. It trains the model that it was made with."""

    @property
    def loss(self) -> str:
        """The figure that decides which weights are kept, on what is held out for that; less is better."""
        ...

    @property
    def per_pass(self) -> int:
        """Steps in which everything is seen about once."""
        ...

    def step(self, step: int, optimiser: torch.optim.Optimizer) -> float:
        """Train on one batch, which depends on the seed and `step` alone, and return its loss."""
        ...

    def measure(self) -> dict[str, float]:
        """Return the figures of a point of the curve, `loss` among them, by the weights of now."""
        ...


def shortened(tokens: Sequence[list[int]], limit: int) -> list[list[int]]:
    """Cut lists of token ids to a limit; the last id, which closes a text, stays."""
    return [one if len(one) <= limit else [*one[: limit - 1], one[-1]] for one in tokens]


@dataclass(kw_only=True)
class Loop:
    """A training run.

    Attributes:
        adapted: the model to train, adapted already.
        task: what it learns.
        steps: at most.
        every: steps between two points of the curve.
        options: how to train.
        path: of the checkpoint.
        fingerprint: of the run.
        watch: told every point of the curve.
        told: how far the training is.
    """

    adapted: Adapted
    task: Task
    steps: int
    every: int
    options: Options
    path: Path
    fingerprint: str
    watch: Watch
    told: Told

    def __post_init__(self) -> None:
        """Prepare the optimiser."""
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
            if progress.step % self.every == 0 or progress.ended:
                self._evaluate(progress, losses)
                losses.clear()
                progress.seconds = time.monotonic() - began
                if progress.ended is None and progress.since_best >= self.options.patience:
                    progress.ended = "no better for a while"
                self._save(progress)
        self._restore(progress.best)
        return progress

    def _step(self, step: int, seconds: float) -> float:
        # Of seed and step alone, so that a run that goes on draws what it would have drawn.
        torch.manual_seed(self.options.seed * 1_000_003 + step)
        for group in self._optimiser.param_groups:
            group["lr"] = group["highest"] * share_of_rate(self._done(step, seconds))
        return self.task.step(step, self._optimiser)

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
        point |= self.task.measure()
        progress.curve.append(point)
        loss = point[self.task.loss]
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
