"""Learning to embed titles so that those bought together are near, and all others apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.finetuning.adapting import Adapted, embed_all
from models.finetuning.exceptions import FinetuningError
from models.finetuning.options import Options
from models.finetuning.steps import LARGEST_GRADIENT
from models.finetuning.titles.aims import Aims

LOSS: Final = "stopping_ranked_above"
"""The figure that decides: how many titles rank above what the stopping shoppers buy next."""
CHUNK: Final = 64
"""Titles of one forward pass: those of like length together save padding."""
LEAST_BATCH: Final = 2
COMPARED: Final = 1000
"""Titles whose pairs the start is fitted to: enough for two numbers."""
SCALE_RATE: Final = 10.0
"""Of the scale of similarities, times the learning rate: a single number moves too slowly otherwise."""

Numbers = NDArray[np.float64]


class Start(NamedTuple):
    """How the frozen encoder's similarities best stand for associations: scale x similarity + offset.

    Attributes:
        centre: float64[dimension], the mean embedding, which similarities leave out.
        scale, offset: of the similarities.
    """

    centre: Numbers
    scale: float
    offset: float


def start_of(embeddings: Numbers, aims: Aims) -> Start:
    """Fit the start of training by least squares over all pairs of the most frequent titles.

    Args:
        embeddings: float64[n, dimension], by the frozen encoder.
        aims: the association that similarities are to reach.
    """
    centre = aims.frequencies @ embeddings / aims.frequencies.sum()
    chosen = np.argsort(-aims.frequencies, kind="stable")[:COMPARED]
    centred = embeddings[chosen] - centre
    pairs = ~np.eye(len(chosen), dtype=bool)
    similar, wanted = (centred @ centred.T)[pairs], aims.information[np.ix_(chosen, chosen)][pairs].astype(np.float64)
    spread = float(similar.var())
    scale = float(np.mean((similar - similar.mean()) * wanted)) / spread if spread > 0 else 0.0
    # Similarities that say the opposite would have to be turned round one by one: they begin as saying nothing.
    scale = max(scale, 1e-6)
    return Start(centre, scale, float(wanted.mean() - scale * similar.mean()))


class Together:
    """The task of embedding what is bought together nearby.

    The loss of a batch is the mean over its pairs of titles of (scale x <e_i - c, e_j - c> + offset - a_ij)^2, with
    a_ij their association: titles that go together attract each other as far as they do, all others are kept apart.
    Its minimum is a factorisation of the association (Levy and Goldberg 2014, Neural word embedding as implicit matrix
    factorization), as far as the words of the titles allow.

    Args:
        adapted: the model, adapted already; two numbers join what it trains.
        tokens: n lists of token ids.
        aims: the association of the titles, and the lines of each; a batch draws titles by the root of these.
        start: from the frozen encoder.
        measure: the figures of float64[n, dimension], the embeddings of all titles, `LOSS` among them.
        options: how to train.

    Raises:
        FinetuningError: a batch would have no pair.
    """

    loss: Final = LOSS

    def __init__(
        self,
        adapted: Adapted,
        tokens: Sequence[Sequence[int]],
        aims: Aims,
        *,
        start: Start,
        measure: Callable[[Numbers], dict[str, float]],
        options: Options,
    ) -> None:
        self._adapted = adapted
        self._tokens = tokens
        # In units of its own spread, so that one learning rate fits every shop.
        self._unit = float(aims.information.std()) or 1.0
        self._information = aims.information
        chances = np.sqrt(aims.frequencies.astype(np.float64))
        self._chances = chances / chances.sum()
        self._start = start
        self._measure = measure
        self._seed = options.seed
        self._size = min(options.batch_size, int(np.count_nonzero(aims.frequencies)))
        if self._size < LEAST_BATCH:
            raise FinetuningError(
                f"expected a batch of at least {LEAST_BATCH} titles, found {self._size}: a title alone has no pair"
            )
        self.per_pass: int = -(-len(tokens) // self._size)
        self._centre = torch.from_numpy(start.centre).float().to(adapted.device)
        self._scale = torch.nn.Parameter(torch.zeros((), device=adapted.device))
        self._offset = torch.nn.Parameter(torch.zeros((), device=adapted.device))
        # So that they are trained, kept in checkpoints and restored with the rest.
        adapted.register_parameter("similarity_scale", self._scale)
        adapted.register_parameter("similarity_offset", self._offset)

    def chosen(self, step: int) -> NDArray[np.int64]:
        """Return the titles of a step: distinct, frequent ones the likelier; those of like length are neighbours."""
        random = np.random.default_rng([self._seed, step])
        drawn = random.choice(len(self._tokens), self._size, replace=False, p=self._chances)
        order = np.argsort([len(self._tokens[index]) for index in drawn], kind="stable")
        result: NDArray[np.int64] = drawn[order]
        return result

    def step(self, step: int, optimiser: torch.optim.Optimizer) -> float:
        """Train on one batch and return its loss, in units of the variance of the association."""
        chosen = self.chosen(step)
        self._adapted.train()
        optimiser.zero_grad(set_to_none=True)
        loss = self._loss(chosen)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._adapted.trained().values(), LARGEST_GRADIENT)
        optimiser.step()
        return float(loss.detach())

    def measure(self) -> dict[str, float]:
        """Return the figures of the embeddings of now."""
        return self._measure(self.embeddings())

    def embeddings(self) -> Numbers:
        """Return all titles' embeddings as a worker would see them, float64[n, dimension]."""
        return embed_all(self._adapted.snapshot(), self._tokens, self._adapted.padding, self._adapted.device)

    def _loss(self, chosen: NDArray[np.int64]) -> Tensor:
        pooled = []
        for first in range(0, len(chosen), CHUNK):
            ids, real = self._adapted.rows([self._tokens[index] for index in chosen[first : first + CHUNK]])
            pooled.append(self._adapted(self._adapted.embedded(ids), real)[0])
        centred = torch.cat(pooled) - self._centre
        scale = self._start.scale * torch.exp(SCALE_RATE * self._scale)
        offset = self._start.offset + SCALE_RATE * self._offset
        wanted = torch.from_numpy(self._information[np.ix_(chosen, chosen)]).to(self._adapted.device)
        missed = (scale * (centred @ centred.T) + offset - wanted) / self._unit
        others = ~torch.eye(len(chosen), dtype=torch.bool, device=self._adapted.device)
        return (missed[others] ** 2).mean()
