"""The checkpoint that a run goes on from after a kill, in one file that is there whole or not at all."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.finetuning.exceptions import FinetuningError


@dataclass(kw_only=True)
class Progress:
    """How far a run is.

    The random numbers of a step depend on seed and step alone, so that none of their state is kept.

    Attributes:
        step: batches trained on.
        seconds: of training so far, evaluation included.
        weights: the trained weights, by name.
        optimiser: its state.
        best: the trained weights at the least loss on the stopping texts.
        best_loss: that loss.
        since_best: evaluations since then.
        curve: a point per evaluation.
        ended: why training ended; None while it goes on.
    """

    step: int = 0
    seconds: float = 0.0
    weights: dict[str, Tensor] = field(default_factory=dict)
    optimiser: dict[str, Any] = field(default_factory=dict)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_loss: float = float("inf")
    since_best: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    ended: str | None = None


def save(path: Path, progress: Progress, fingerprint: str) -> None:
    """Write a checkpoint in place of the one before; a kill at any instant leaves one of the two."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        torch.save({"fingerprint": fingerprint, **vars(progress)}, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def load(path: Path, fingerprint: str) -> Progress | None:
    """Read a checkpoint; None where there is none yet.

    Raises:
        FinetuningError: it is damaged, or of a run with other data, another encoder or other options.
    """
    if not path.is_file():
        return None
    try:
        # Weights only: a checkpoint from somewhere else must not run code.
        found = torch.load(path, map_location="cpu", weights_only=True)
        told = found.pop("fingerprint")
        progress = Progress(**found)
    except (RuntimeError, EOFError, KeyError, TypeError, ValueError, AttributeError, pickle.UnpicklingError) as error:
        raise FinetuningError(
            f"expected a checkpoint in {path}, found a file that does not load ({type(error).__name__}): remove it, "
            "and the run begins anew"
        ) from error
    if told != fingerprint:
        raise FinetuningError(
            f"expected in {path} the checkpoint of a run with the same texts, encoder and options, found another: "
            "give the options of then, or another output folder"
        )
    return progress
