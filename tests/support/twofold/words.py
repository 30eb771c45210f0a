"""What models make of words in the tests: the embeddings of an encoder that costs nothing, and a head over them."""

from __future__ import annotations

import numpy as np

from models.profile import Projection
from models.sentiment.head import PolarityHead
from support.encoders import HashEncoder, SwitchableEncoder
from support.twofold.hostile import POISON

_ENCODER = SwitchableEncoder()
_PROJECTION = Projection.orthogonal(HashEncoder.dimension)


def head() -> PolarityHead:
    """A head of polarity over the embeddings of `HashEncoder`."""
    weights = np.random.default_rng(3).standard_normal(HashEncoder.dimension) / 10
    return PolarityHead(
        weights=weights,
        intercept=0.1,
        slope=0.7,
        offset=-0.2,
        encoder_name=HashEncoder.name,
        encoder="embeddings of a hash",
    )


def embed(text: str) -> tuple[float, ...] | None:
    """The projected embedding of a cleaned text; None where the encoder fails on it."""
    if POISON in text:
        return None
    return tuple(np.asarray(_PROJECTION.apply(_ENCODER.embed(_ENCODER.tokenize([text]))))[0].tolist())


def polarity(text: str) -> float:
    """That of a cleaned text by `head`."""
    return float(head().polarity(_ENCODER.embed(_ENCODER.tokenize([text])))[0])
