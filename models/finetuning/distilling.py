"""A student of half the layers that learns to embed as its teacher does (Sanh et al. 2019, DistilBERT)."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from typing import Any, Final

import torch
from numpy.typing import NDArray
from torch.nn.functional import cosine_similarity, mse_loss

from models.finetuning.adapting import Adapted
from models.finetuning.batches import Batches
from models.finetuning.exceptions import FinetuningError
from models.finetuning.steps import share_of_rate

RATE: Final = 3e-4
BATCH: Final = 32
MOST_PASSES: Final = 20


def student_of(teacher: Any) -> Any:
    """Return a copy of a BERT with every other of its layers, the first one among them.

    Raises:
        FinetuningError: it has no list of layers, or one layer only.
    """
    layers = getattr(getattr(teacher, "encoder", None), "layer", None)
    if not isinstance(layers, torch.nn.ModuleList) or len(layers) < 2:
        raise FinetuningError(
            f"expected a BERT of two layers or more to distil, found {type(teacher).__name__}: leave out `distilled`"
        )
    student = copy.deepcopy(teacher)
    student.encoder.layer = student.encoder.layer[::2]
    student.config.num_hidden_layers = len(student.encoder.layer)
    return student


def distil(
    teacher: Any,
    tokens: Sequence[Sequence[int]],
    targets: NDArray[Any],
    *,
    padding: int,
    minutes: float,
    seed: int = 0,
    steps: int | None = None,
) -> Any:
    """Train a student on the teacher's embeddings: 1 - cosine, and their mean squared distance.

    Args:
        teacher: a BERT of transformers, on the CPU.
        tokens: n lists of token ids.
        targets: [n, dimension], the teacher's embeddings of them.
        padding: the id that fills a row up.
        minutes: wall-clock limit, which the learning rate follows.
        seed: of the order and of dropout.
        steps: a limit in steps besides; None: 20 passes.

    Returns:
        The student, in evaluation mode.

    Raises:
        FinetuningError: the teacher is no BERT of two layers or more.
    """
    learner = Adapted(student_of(teacher).requires_grad_(True), padding, torch.device("cpu"))
    optimiser = torch.optim.AdamW(learner.model.parameters(), lr=RATE)
    batches = Batches(list(map(len, tokens)), BATCH, seed)
    wanted = torch.from_numpy(targets).float()
    most = steps or MOST_PASSES * batches.per_pass
    began = time.monotonic()
    learner.train()
    for step in range(most):
        done = max(step / most, (time.monotonic() - began) / (60 * minutes))
        if done >= 1:
            break
        torch.manual_seed(seed * 1_000_003 + step)
        for group in optimiser.param_groups:
            group["lr"] = RATE * share_of_rate(done)
        chosen = batches.at(step)
        ids, real = learner.rows([tokens[index] for index in chosen])
        found, _ = learner(learner.embedded(ids), real)
        loss = (1 - cosine_similarity(found, wanted[chosen])).mean() + mse_loss(found, wanted[chosen])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return learner.model.eval().requires_grad_(False)
