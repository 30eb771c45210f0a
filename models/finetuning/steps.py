"""One step of training: the loss, the adversarial pass, and the learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from models.finetuning.adapting import Adapted
from models.finetuning.texts import Kind

WARM_UP: Final = 0.05
"""Share of the run over which the learning rate rises."""
LARGEST_GRADIENT: Final = 1.0


def loss_of(predictions: Tensor, values: Tensor, kind: Kind) -> Tensor:
    """Return the logistic loss of labels or the squared error of numbers, averaged."""
    if kind is Kind.LABEL:
        return binary_cross_entropy_with_logits(predictions, values)
    return mse_loss(predictions, values)


def take_step(
    adapted: Adapted,
    optimiser: torch.optim.Optimizer,
    batch: Sequence[Sequence[int]],
    values: Tensor,
    kind: Kind,
    *,
    fgm: float,
) -> float:
    """Train on one batch and return its loss.

    With `fgm`, the gradients of a second pass are added, over embeddings moved to where the loss rises fastest: r =
    fgm x g / |g| per text, g the gradient at its token embeddings (Miyato et al. 2017, Adversarial training methods
    for semi-supervised text classification, equation 5).
    """
    adapted.train()
    ids, real = adapted.rows(batch)
    values = values.to(adapted.device)
    optimiser.zero_grad(set_to_none=True)
    embedded = adapted.embedded(ids)
    if fgm:
        embedded.retain_grad()
    loss = loss_of(adapted(embedded, real)[1], values, kind)
    loss.backward()  # type: ignore[no-untyped-call]
    if fgm and embedded.grad is not None:
        slope = embedded.grad * real.unsqueeze(-1)
        length = slope.flatten(1).norm(dim=1).clamp_min(1e-12)[:, None, None]
        moved = adapted.embedded(ids) + fgm * slope / length
        loss_of(adapted(moved, real)[1], values, kind).backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(adapted.trained().values(), LARGEST_GRADIENT)
    optimiser.step()
    return float(loss.detach())


def share_of_rate(progress: float) -> float:
    """Return the share of the highest learning rate: a linear rise, then half a cosine down to 0.

    Args:
        progress: share of the run that is done, from 0 to 1.
    """
    if progress < WARM_UP:
        return (progress + 0.005) / (WARM_UP + 0.005)
    return (1 + math.cos(math.pi * min(1.0, (progress - WARM_UP) / (1 - WARM_UP)))) / 2
