"""y = x W^T + b for one fixed weight, by the fastest matrix product that the CPU at hand has."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Dense(Protocol):
    """A dense layer in float32; x is float32[rows, in], an answer float32[rows, out]."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return x W^T + b."""
        ...

    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        """Return x W^T + b + residual, of float32[rows, out]."""
        ...

    def gelu(self, x: Tensor) -> Tensor:
        """Return GELU(x W^T + b), exact: y (1 + erf(y / sqrt 2)) / 2 (Hendrycks and Gimpel 2016)."""
        ...


class PlainDense:
    """A dense layer on torch's public operators.

    Args:
        weight: float32[out, in].
        bias: float32[out].
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self._weight = weight
        self._bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        """Return x W^T + b."""
        from torch.nn.functional import linear

        return linear(x, self._weight, self._bias)

    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        """Return x W^T + b + residual."""
        return self(x).add_(residual)

    def gelu(self, x: Tensor) -> Tensor:
        """Return GELU(x W^T + b)."""
        from torch.nn.functional import gelu

        return gelu(self(x))


class PrepackedDense:
    """A dense layer on oneDNN, its weight laid out once for the CPU's widest instructions; makes one copy of it.

    The matrix products behind `torch.nn.functional.linear` come from MKL, which takes the narrower kernels on
    processors of other makers: with AVX-512 at hand, they are half as fast.

    Args:
        weight: float32[out, in].
        bias: float32[out].
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        import torch

        # What torch's own compiler emits for a frozen layer: no public operator takes a prepacked weight.
        self._product: Any = torch.ops.mkldnn._linear_pointwise
        self._weight: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), None)
        self._bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        """Return x W^T + b."""
        result: Tensor = self._product(x, self._weight, self._bias, "none", [], "")
        return result

    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        """Return x W^T + b + residual."""
        result: Tensor = self._product.binary(x, residual, self._weight, self._bias, "add")
        return result

    def gelu(self, x: Tensor) -> Tensor:
        """Return GELU(x W^T + b)."""
        result: Tensor = self._product(x, self._weight, self._bias, "gelu", [], "none")
        return result


def dense(weight: Tensor, bias: Tensor) -> Dense:
    """Make a dense layer of float32[out, in] and float32[out]: prepacked where this machine's torch can."""
    return PrepackedDense(weight, bias) if _can_prepack() else PlainDense(weight, bias)


def _can_prepack() -> bool:
    import torch

    # Elsewhere the same operators stand on other libraries, which nobody has measured here.
    return (
        platform.machine().lower() in ("x86_64", "amd64")
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")
    )
