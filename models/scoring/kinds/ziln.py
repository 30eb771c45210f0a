"""The zero-inflated log-normal network: most shoppers buy nothing, and few of those who buy spend much.

Source: Wang, Liu & Miao 2019, "A deep probabilistic model for customer lifetime value prediction".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from models.exceptions import ArtefactError
from models.profile import WIDTH
from models.scoring.kinds.protocol import (
    PROFILE_ALONE,
    Tensors,
    TensorTypes,
    Vector,
    checked_inputs,
    require_finite,
)
from models.scoring.standardising import Standardiser

LEAST_SIGMA: Final = 0.05
"""A log-normal narrower than this would price a handful of equal orders and nothing else."""

_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(16)
_ALPHAS: Final = (_NODES + 1) / 2
_ALPHA_WEIGHTS: Final = _NODE_WEIGHTS / 2


@dataclass(frozen=True, eq=False, kw_only=True)
class ZilnModel:
    """prediction = log1p(p x exp(mu + sigma^2 / 2)), with p, mu and sigma from one hidden layer of tanh.

    log1p keeps the order of the mixture's mean, so that ranking by the prediction is ranking by mean money. tanh
    bounds the effect of an unheard-of feature value.

    Contributions are integrated gradients (Sundararajan, Taly & Yan 2017) along the straight line from the
    shopper with mean scalars and no profile, whose prediction is the intercept: Gauss-Legendre quadrature with
    16 nodes; its remainder (1e-8 on the bundled rows) is spread in proportion to how far each input moves the
    hidden layer, so that the terms sum to the prediction.

    Attributes:
        standardiser: of the k scalars.
        hidden: float64 [k + 64, h], from standardised scalars and profile to the hidden layer.
        hidden_bias: float64 [h].
        output: float64 [h, 3], to the logit of p, mu, and sigma before softplus.
        output_bias: float64 [3].

    Raises:
        ArtefactError: sizes that do not fit, or numbers that are not finite.
    """

    kind: ClassVar[str] = "ziln"
    attribution: ClassVar[str] = "integrated_gradients"
    vectors: ClassVar[tuple[str, ...]] = PROFILE_ALONE
    tensor_types: ClassVar[TensorTypes] = {
        "means": ("float64", 1),
        "scales": ("float64", 1),
        "hidden": ("float64", 2),
        "hidden_bias": ("float64", 1),
        "output": ("float64", 2),
        "output_bias": ("float64", 1),
    }

    standardiser: Standardiser
    hidden: Vector
    hidden_bias: Vector
    output: Vector
    output_bias: Vector

    def __post_init__(self) -> None:
        width = self.hidden_bias.size
        expected = [[len(self.standardiser.names) + WIDTH, width], [width], [width, 3], [3]]
        found = [list(array.shape) for array in (self.hidden, self.hidden_bias, self.output, self.output_bias)]
        if width == 0 or found != expected:
            raise ArtefactError(f"ziln: expected layers of shapes {expected}, found {found}; train the artefact again")
        require_finite("ziln", self.hidden, self.hidden_bias, self.output, self.output_bias)

    @property
    def names(self) -> tuple[str, ...]:
        """The k scalar features, in the order of a row."""
        return self.standardiser.names

    @cached_property
    def intercept(self) -> float:
        """The prediction for mean scalars and no profile."""
        return float(self._head(self.hidden_bias[None])[0].item())

    def predict(self, values: Vector, profiles: NDArray[np.floating] | None) -> Vector:
        """Return the predictions of n users: float64 [n]; arguments as for `contributions`."""
        return self._head(self._linear(self._inputs(values, profiles)) + self.hidden_bias)[0]

    def distribution(self, values: Vector, profiles: NDArray[np.floating] | None) -> tuple[Vector, Vector, Vector]:
        """Return p, mu and sigma of n users, each float64 [n]; arguments as for `contributions`."""
        active = np.tanh(self._linear(self._inputs(values, profiles)) + self.hidden_bias)
        logit, mu, sigma = self._parameters(active)
        return np.exp(-np.logaddexp(0, -logit)), mu, sigma

    def contributions(self, values: Vector, profiles: NDArray[np.floating] | None) -> Vector:
        """Return what each feature adds: float64 [n, k + 1], as `Model.contributions` says.

        A null counts as the mean.
        """
        inputs = self._inputs(values, profiles)
        reach = self._linear(inputs)
        # The line from the baseline to the shopper is straight in the hidden layer too: only what follows it
        # has to be evaluated at every node.
        slope = np.zeros_like(reach)
        for alpha, weight in zip(_ALPHAS, _ALPHA_WEIGHTS, strict=True):
            slope += weight * self._head(alpha * reach + self.hidden_bias)[1]
        terms = self._by_feature(inputs * _row_product(slope, self.hidden.T))
        missed = self._head(reach + self.hidden_bias)[0] - self.intercept - terms.sum(axis=1)
        pulls = self._by_feature(np.abs(inputs) * np.abs(self.hidden).sum(axis=1))
        totals = pulls.sum(axis=1)[:, None]
        shares = np.divide(pulls, totals, out=np.zeros_like(pulls), where=totals > 0)
        complete: Vector = terms + missed[:, None] * shares
        return complete

    def _by_feature(self, by_input: Vector) -> Vector:
        """Sum the profile's elements: from [n, k + 64] to [n, k + 1]."""
        count = len(self.names)
        return np.hstack([by_input[:, :count], by_input[:, count:].sum(axis=1, keepdims=True)])

    def _inputs(self, values: Vector, profiles: NDArray[np.floating] | None) -> Vector:
        matrix, vectors = checked_inputs(values, profiles, len(self.names))
        return np.hstack([self.standardiser.apply(matrix), vectors])

    def _linear(self, inputs: Vector) -> Vector:
        return _row_product(inputs, self.hidden)

    def _parameters(self, active: Vector) -> tuple[Vector, Vector, Vector]:
        raw = _row_product(active, self.output) + self.output_bias
        return raw[:, 0], raw[:, 1], np.logaddexp(0, raw[:, 2]) + LEAST_SIGMA

    def _head(self, before: Vector) -> tuple[Vector, Vector]:
        """Return the prediction [n] and its gradient [n, h] at values of the hidden layer before tanh [n, h]."""
        active = np.tanh(before)
        logit, mu, sigma = self._parameters(active)
        # log of the mean; log p = -log(1 + exp(-logit)) loses no digit where p is small.
        log_mean = mu + sigma * sigma / 2 - np.logaddexp(0, -logit)
        prediction = np.logaddexp(0, log_mean)
        by_mean = np.exp(log_mean - prediction)
        # d sigma / d raw = sigmoid(raw) = 1 - exp(-softplus(raw)).
        by_sigma = sigma * -np.expm1(LEAST_SIGMA - sigma)
        by_logit = np.exp(-np.logaddexp(0, logit))
        back = by_logit[:, None] * self.output[:, 0] + self.output[:, 1] + by_sigma[:, None] * self.output[:, 2]
        return prediction, by_mean[:, None] * back * (1 - active * active)

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the numbers to write, by name."""
        return {
            **self.standardiser.tensors(),
            "hidden": self.hidden,
            "hidden_bias": self.hidden_bias,
            "output": self.output,
            "output_bias": self.output_bias,
        }

    def document(self) -> dict[str, Any]:
        """Return the transforms of the features."""
        return self.standardiser.document()

    @classmethod
    def of(cls, names: Sequence[str], document: Mapping[str, Any], tensors: Tensors) -> Self:
        """Make the model again from what `document` and `tensors` returned.

        Raises:
            ArtefactError: they hold no such model.
        """
        layers = {name: tensors[name] for name in ("hidden", "hidden_bias", "output", "output_bias")}
        return cls(standardiser=Standardiser.of(names, document, tensors), **layers)


def _row_product(rows: Vector, matrix: Vector) -> Vector:
    """Return rows @ matrix, each row's digits independent of how many there are: no BLAS."""
    product = np.zeros((len(rows), matrix.shape[1]))
    for column, weights in zip(rows.T, matrix, strict=True):
        product += column[:, None] * weights
    return product
