"""Fitting the zero-inflated log-normal network, by AdamW over shuffled batches, with early stopping."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from models.exceptions import InvalidInputError
from models.profile import WIDTH
from models.scoring.kinds.protocol import Fitted, Watch
from models.scoring.kinds.ziln import LEAST_SIGMA, ZilnModel
from models.scoring.standardising import Standardiser
from models.training.rows import TrainingRows

if TYPE_CHECKING:
    import torch

_STILL: Final = 1e-9
"""An input that spans less than this, in standard deviations or in elements of a unit vector, does not vary."""

_LOG_SQRT_TAU: Final = 0.9189385332046727


@dataclass(frozen=True, kw_only=True)
class ZilnOptions:
    """How a network is fitted.

    Attributes:
        hidden: width of the hidden layer, >= 1.
        dropout: share of the hidden layer left out of a step, 0 <= dropout < 1.
        weight_decay: AdamW's decoupled L2 decay, >= 0.
        learning_rate: > 0.
        batch_rows: rows of a step, >= 1.
        epochs: passes over the rows, at most.
        patience: epochs without a better validation loss after which it stops.
    """

    hidden: int = 32
    dropout: float = 0.1
    weight_decay: float = 0.01
    learning_rate: float = 0.003
    batch_rows: int = 512
    epochs: int = 60
    patience: int = 6

    def __post_init__(self) -> None:
        whole = min(self.hidden, self.batch_rows, self.epochs, self.patience)
        if whole < 1 or not 0 <= self.dropout < 1 or self.weight_decay < 0 or self.learning_rate <= 0:
            raise InvalidInputError(
                f"ziln: expected positive sizes, 0 <= dropout < 1, decay >= 0 and a positive rate, found {self}"
            )


def fit_ziln(
    names: Sequence[str],
    rows: TrainingRows,
    options: ZilnOptions,
    *,
    seed: int,
    validation: TrainingRows | None = None,
    watch: Watch | None = None,
) -> Fitted:
    """Fit the network to the likelihood of money: Bernoulli of buying, log-normal of what a buyer spends.

    The same arguments give the same bytes on the same machine: one thread, one generator.

    Args:
        names: the k features.
        rows: what to fit; at least one of them bought.
        options: sizes and rates.
        seed: of the first weights, the order of the rows and dropout.
        validation: rows of other users; fitting stops when their loss no longer falls, and the best epoch is
            kept. None runs every epoch.
        watch: called with `fit` and `validation` losses after each epoch.
    """
    import torch

    standardiser = Standardiser.fit(names, rows.values, rows.transforms)
    inputs, money = _tensors(standardiser, rows)
    held = None if validation is None else _tensors(standardiser, validation)
    with _deterministic(seed):
        hidden, output = torch.nn.Linear(len(names) + WIDTH, options.hidden), torch.nn.Linear(options.hidden, 3)
        network = torch.nn.Sequential(hidden, torch.nn.Tanh(), torch.nn.Dropout(options.dropout), output)
        _start_at_the_mean(output, money)
        _silence_what_does_not_vary(hidden, inputs)
        optimiser = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
        best, best_epoch, kept = np.inf, options.epochs, None
        for epoch in range(1, options.epochs + 1):
            loss = _one_epoch(network, optimiser, inputs, money, options.batch_rows)
            if watch is not None:
                watch("fit", epoch, loss)
            if held is None:
                continue
            network.eval()
            with torch.no_grad():
                validation_loss = float(_loss(network(held[0]), held[1]))
            if watch is not None:
                watch("validation", epoch, validation_loss)
            if validation_loss < best:
                best, best_epoch = validation_loss, epoch
                kept = {name: tensor.clone() for name, tensor in network.state_dict().items()}
            elif epoch - best_epoch >= options.patience:
                break
        if kept is not None:
            network.load_state_dict(kept)
    return Fitted(_exported(standardiser, network), best_epoch)


def _one_epoch(
    network: torch.nn.Module, optimiser: torch.optim.Optimizer, inputs: torch.Tensor, money: torch.Tensor, size: int
) -> float:
    import torch

    network.train()
    total = 0.0
    for batch in torch.split(torch.randperm(len(money)), size):
        optimiser.zero_grad()
        loss = _loss(network(inputs[batch]), money[batch])
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        total += float(loss.detach()) * len(batch)
    return total / len(money)


def _loss(raw: torch.Tensor, money: torch.Tensor) -> torch.Tensor:
    """Return the mean negative log-likelihood; of money itself, up to the constant log-Jacobian."""
    from torch.nn import functional

    bought = (money > 0).float()
    sigma = functional.softplus(raw[:, 2]) + LEAST_SIGMA
    logged = money.clamp_min(1e-6).log()
    normal = ((logged - raw[:, 1]) / sigma) ** 2 / 2 + sigma.log() + _LOG_SQRT_TAU
    return functional.binary_cross_entropy_with_logits(raw[:, 0], bought) + (bought * normal).mean()


def _tensors(standardiser: Standardiser, rows: TrainingRows) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    inputs = np.hstack([standardiser.apply(rows.values), rows.profiles])
    return torch.tensor(inputs, dtype=torch.float32), torch.tensor(rows.money, dtype=torch.float32)


def _start_at_the_mean(output: torch.nn.Linear, money: torch.Tensor) -> None:
    """Begin with the share of buyers and the mean log of their spend: the first steps then learn differences."""
    import torch

    bought = money > 0
    share = float(bought.float().mean().clamp(0.001, 0.999))
    with torch.no_grad():
        output.weight.mul_(0.1)
        output.bias[0] = float(np.log(share / (1 - share)))
        output.bias[1] = money[bought].log().mean() if bool(bought.any()) else 0.0
        output.bias[2] = 0.5


def _silence_what_does_not_vary(hidden: torch.nn.Linear, inputs: torch.Tensor) -> None:
    """Give weight 0, and inputs that keep it 0, to what is the same in every row.

    Nothing is learnt of it, so its weights would stay the random ones they start as, and would count once it occurs.
    """
    import torch

    still = inputs.amax(dim=0) - inputs.amin(dim=0) < _STILL
    with torch.no_grad():
        hidden.weight[:, still] = 0.0
    inputs[:, still] = 0.0


@contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def _exported(standardiser: Standardiser, network: torch.nn.Module) -> ZilnModel:
    weights = {name: tensor.detach().double().numpy() for name, tensor in network.state_dict().items()}
    return ZilnModel(
        standardiser=standardiser,
        hidden=np.ascontiguousarray(weights["0.weight"].T),
        hidden_bias=weights["0.bias"].copy(),
        output=np.ascontiguousarray(weights["3.weight"].T),
        output_bias=weights["3.bias"].copy(),
    )
