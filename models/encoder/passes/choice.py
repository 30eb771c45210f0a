"""Which forward pass computes a model: by what it is, where it is, and in which precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.encoder.passes.bucketed import BucketedForward, can_bucket
from models.encoder.passes.dense import Precision, dense_of
from models.encoder.passes.packed import PackedForward, can_pack
from models.encoder.passes.padded import PaddedForward
from models.exceptions import PrecisionError

if TYPE_CHECKING:
    import torch


def forward_of(
    model: Any, padding: int, device: torch.device, precision: Precision
) -> PackedForward | BucketedForward | PaddedForward:
    """Return the fastest forward pass there is for a model of transformers.

    Args:
        model: in evaluation mode, on `device`; or a `PlainBert`, on the CPU.
        padding: the id that fills a row up, where texts are padded.
        device: where the model is.
        precision: of the products of a plain BERT on the CPU; all else computes in the model's own type.

    Raises:
        PrecisionError: this model, device or build of torch has no such precision.
    """
    if device.type == "cpu" and can_pack(model):
        return PackedForward(model, dense_of(precision))
    if precision != "float32":
        raise PrecisionError(
            f"expected a plain BERT on the CPU for {precision} products, found {type(model).__name__} on "
            f"{device.type}: use precision float32, or device cpu"
        )
    if can_bucket(model, device):
        return BucketedForward(model, device=device)
    return PaddedForward(model, padding=padding, device=device)
