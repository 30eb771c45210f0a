"""The head of polarity: from a text's embedding to how much it praises or complains."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.exceptions import ArtefactError, InvalidInputError

_IDENTITY_DIGITS: Final = 12


@dataclass(frozen=True, eq=False, kw_only=True)
class PolarityHead:
    """A logistic regression over mean-pooled embeddings, its probability calibrated.

    With the logit z = weights . e + intercept, the probability that a text praises is
    p = 1 / (1 + exp(-(slope z + offset))), where slope and offset are Platt's, fitted to logits of texts that the
    weights had not seen (Platt 1999, "Probabilistic outputs for support vector machines"). Polarity is 2 p - 1.

    Attributes:
        weights: float64 [width of an embedding].
        intercept: of the logit.
        slope: of the calibration, > 0.
        offset: of the calibration.
        encoder_name: the encoder whose embeddings it reads, for people.
        encoder: identity of those embeddings (`models.profile.embedding_identity`); it is used for no others.

    Raises:
        ArtefactError: weights of another shape, a number that is not finite, or a slope of 0 or below.
    """

    weights: NDArray[np.float64]
    intercept: float
    slope: float
    offset: float
    encoder_name: str
    encoder: str

    def __post_init__(self) -> None:
        weights = np.ascontiguousarray(self.weights, dtype=np.float64)
        if weights.ndim != 1 or not len(weights):
            raise ArtefactError(
                f"polarity: expected weights of shape [width of an embedding], found {list(weights.shape)}; "
                "train the head again"
            )
        if not np.isfinite(weights).all() or not all(map(math.isfinite, (self.intercept, self.slope, self.offset))):
            raise ArtefactError("polarity: expected finite numbers, found NaN or infinity; train the head again")
        if self.slope <= 0:
            raise ArtefactError(
                f"polarity: expected a calibration that rises, found one of slope {self.slope:g}; train the head again"
            )
        weights.flags.writeable = False
        object.__setattr__(self, "weights", weights)

    @property
    def width(self) -> int:
        """Width of the embeddings that it reads."""
        return len(self.weights)

    @cached_property
    def identity(self) -> str:
        """`polarity-<encoder>@<first 12 hex digits of a SHA-256>` of all that decides a polarity.

        Polarities of two identities are never added up.
        """
        digest = hashlib.sha256()
        for part in (
            self.encoder.encode(),
            self.weights.astype("<f8").tobytes(),
            np.array([self.intercept, self.slope, self.offset], "<f8").tobytes(),
        ):
            # With its length before it, no part can lend bytes to its neighbour.
            digest.update(len(part).to_bytes(8, "little") + part)
        return f"polarity-{self.encoder_name}@{digest.hexdigest()[:_IDENTITY_DIGITS]}"

    def polarity(self, embeddings: ArrayLike) -> NDArray[np.float64]:
        """Return how much texts praise (towards 1) or complain (towards -1).

        Args:
            embeddings: [n, width], mean-pooled, not normalised.

        Returns:
            float64 [n], -1 to 1.

        Raises:
            InvalidInputError: the embeddings have another width.
        """
        values = np.asarray(embeddings, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != self.width:
            raise InvalidInputError(
                f"embeddings: expected shape [n, {self.width}], found {list(values.shape)}; "
                "use the encoder that this head was trained for"
            )
        # 2 / (1 + exp(-x)) - 1 without its overflow.
        polarities: NDArray[np.float64] = np.tanh(
            (self.slope * (values @ self.weights + self.intercept) + self.offset) / 2
        )
        return polarities

    def probability(self, embeddings: ArrayLike) -> NDArray[np.float64]:
        """Return the probability that texts praise: float64 [n], 0 to 1; takes and raises what `polarity` does."""
        probabilities: NDArray[np.float64] = (1 + self.polarity(embeddings)) / 2
        return probabilities
