"""y = x W^T + b for one fixed weight, by the fastest matrix product that the CPU at hand has.

Float32 unless another precision is asked for: those are faster, and give other embeddings.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

from models.exceptions import PrecisionError

if TYPE_CHECKING:
    from torch import Tensor

Precision: TypeAlias = Literal["float32", "bfloat16", "int8"]
"""Of a layer's products; all else is computed in float32."""

_LARGEST_INT8: Final = 127
_LEAST_SCALE: Final = 1e-9
"""Stands for the scale of zeros, which have none."""


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


class BfloatDense:
    """A dense layer on oneDNN whose product takes bfloat16 and sums in float32, its weight laid out once.

    Args:
        weight: float32[out, in].
        bias: float32[out].
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        import torch

        self._linear: Any = torch.ops.mkldnn._linear_pointwise
        self._weight: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.bfloat16().contiguous(), None)
        self._bias = bias.bfloat16()

    def __call__(self, x: Tensor) -> Tensor:
        """Return x W^T + b."""
        return self._product(x, "none", "").float()

    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        """Return x W^T + b + residual."""
        return self(x).add_(residual)

    def gelu(self, x: Tensor) -> Tensor:
        """Return GELU(x W^T + b), as bfloat16[rows, out]: the next product takes no other."""
        return self._product(x, "gelu", "none")

    def _product(self, x: Tensor, activation: str, algorithm: str) -> Tensor:
        result: Tensor = self._linear(x.bfloat16(), self._weight, self._bias, activation, [], algorithm)
        return result


class Int8Dense:
    """A dense layer whose product takes 8-bit integers and sums in 32 bits.

    Weights are rounded once, with a scale for each output; inputs as they come, with a scale for each row, so that a
    row's result depends on no other row.

    Args:
        weight: float32[out, in].
        bias: float32[out].
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        import torch

        self._scales = weight.abs().amax(1).clamp_min(_LEAST_SCALE) / _LARGEST_INT8
        self._weight = (weight / self._scales[:, None]).round().to(torch.int8).t().contiguous()
        self._bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        """Return x W^T + b."""
        import torch

        scales = x.abs().amax(1, keepdim=True).clamp_min(_LEAST_SCALE) / _LARGEST_INT8
        # The one product of 8-bit integers that torch has for the CPU without a quantisation engine around it.
        product = torch._int_mm((x / scales).round_().to(torch.int8), self._weight)
        return product.float().mul_(scales).mul_(self._scales).add_(self._bias)

    def plus(self, x: Tensor, residual: Tensor) -> Tensor:
        """Return x W^T + b + residual."""
        return self(x).add_(residual)

    def gelu(self, x: Tensor) -> Tensor:
        """Return GELU(x W^T + b)."""
        from torch.nn.functional import gelu

        return gelu(self(x))


def dense_of(precision: Precision) -> Callable[[Tensor, Tensor], Dense]:
    """Return the maker of a dense layer of float32[out, in] and float32[out], its products in a precision.

    Raises:
        PrecisionError: this CPU, or this build of torch, has no such product.
    """
    if precision == "float32":
        return dense
    if not (_has_bfloat16() if precision == "bfloat16" else _has_int8()):
        raise PrecisionError(
            f"expected a CPU and a torch with {precision} products (x86-64, oneDNN, AVX-512; for int8 its VNNI), "
            "found others: use precision float32"
        )
    return BfloatDense if precision == "bfloat16" else Int8Dense


def dense(weight: Tensor, bias: Tensor) -> Dense:
    """Make a dense layer of float32[out, in] and float32[out]: prepacked where this machine's torch can."""
    return PrepackedDense(weight, bias) if _can_prepack() else PlainDense(weight, bias)


def _can_prepack() -> bool:
    import torch

    # Elsewhere the same operators stand on other libraries, which have not been measured here.
    return (
        platform.machine().lower() in ("x86_64", "amd64")
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")
    )


def _has_bfloat16() -> bool:
    import torch

    return _can_prepack() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _has_int8() -> bool:
    import torch

    # Without VNNI, sums of products are cut off at 16 bits on the way.
    return _can_prepack() and hasattr(torch, "_int_mm") and torch.cpu._is_vnni_supported()
