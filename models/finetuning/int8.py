"""A dense layer whose product takes 8-bit integers."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import gelu

LARGEST: Final = 127
_LEAST_SCALE: Final = 1e-9
"""Stands for the scale of a row of zeros, which has none."""


class Int8Dense:
    """y = x W^T + b: weights rounded once, with a scale per output; inputs rounded as they come, a scale per row.

    Args:
        weight: float32[out, in].
        bias: float32[out].
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self._scales = weight.abs().amax(1).clamp_min(_LEAST_SCALE) / LARGEST
        self._weight = (weight / self._scales[:, None]).round().to(torch.int8).t().contiguous()
        self._bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        """Return x W^T + b, float32[rows, out]."""
        scales = x.abs().amax(1, keepdim=True).clamp_min(_LEAST_SCALE) / LARGEST
        product = torch._int_mm((x / scales).round_().to(torch.int8), self._weight)
        return product.float().mul_(scales).mul_(self._scales).add_(self._bias)

    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        """Return x W^T + b + residual."""
        return self(x).add_(residual)

    def gelu(self, x: Tensor) -> Tensor:
        """Return GELU(x W^T + b)."""
        return gelu(self(x))
