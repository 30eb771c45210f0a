"""Searching the options of a model whose fit stops early: by Optuna, small by default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np

from models.exceptions import InvalidInputError
from models.libraries import library
from models.scoring.kinds.protocol import Fitted, Watch
from models.training.candidate import Candidate, Progress, Vector, order_loss_of
from models.training.fits.boosting import BoostingOptions, fit_boosting
from models.training.fits.ziln import ZilnOptions, fit_ziln
from models.training.rows import TrainingRows
from models.training.splits import Split, Splits

TRIALS: Final = 10
LEAST_FOLDS: Final = 3
"""One is judged on and one is stopped on, so a third is fitted on."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """A kind of model, how it is fitted, and which of its options may be chosen.

    Attributes:
        kind: of the model.
        default: the options tried first.
        fit: called as `fit_ziln` and `fit_boosting` are.
        suggest: draws the options of a trial, by name.
        rounds: the option that bounds the rounds of a fit.
    """

    kind: str
    default: Any
    fit: Callable[..., Fitted]
    suggest: Callable[[Any], dict[str, float]]
    rounds: str


def _suggest_ziln(trial: Any) -> dict[str, float]:
    return {
        "hidden": trial.suggest_categorical("hidden", [8, 16, 32]),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "weight_decay": trial.suggest_float("weight_decay", 1e-4, 1.0, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 5e-4, 1e-2, log=True),
    }


def _suggest_boosting(trial: Any) -> dict[str, float]:
    return {
        "leaves": trial.suggest_int("leaves", 3, 16),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.15, log=True),
        "rows_per_leaf": trial.suggest_int("rows_per_leaf", 20, 400, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 0.1, 100.0, log=True),
        "feature_share": trial.suggest_float("feature_share", 0.2, 1.0),
    }


ZILN: Final = Family(kind="ziln", default=ZilnOptions(), fit=fit_ziln, suggest=_suggest_ziln, rounds="epochs")
BOOSTING: Final = Family(
    kind="gbm", default=BoostingOptions(), fit=fit_boosting, suggest=_suggest_boosting, rounds="rounds"
)


def searched_candidate(
    family: Family,
    names: Sequence[str],
    rows: TrainingRows,
    splits: Splits,
    *,
    seed: int,
    trials: int = TRIALS,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Candidate:
    """Choose the options of least order loss, then fit with them.

    Every fit that is judged stops early on users that it neither fits nor is judged on. The last fit takes every
    row, so no user is left to stop on: it runs for the median of the rounds that the out-of-fold fits kept.

    Args:
        family: what to fit.
        names: the k features.
        rows: n of them.
        splits: of the rows, at least 3 folds.
        seed: of the search and of every fit.
        trials: options tried, >= 1; the first are the default ones.
        progress: called after each fit.
        watch: called with the losses of every fit and of every trial.

    Raises:
        InvalidInputError: fewer than 3 folds, or no trial.
        MissingLibraryError: Optuna, or the library that fits, is not installed.
    """
    if len(splits.by_user) < LEAST_FOLDS or trials < 1:
        raise InvalidInputError(
            f"{family.kind}: expected users in at least {LEAST_FOLDS} folds and at least 1 trial, found "
            f"{len(splits.by_user)} and {trials}; pass more of them"
        )
    run = _Run(family, names, rows, seed, (trials + 1) * len(splits.by_user) + 1, progress, watch)
    tried: list[Vector] = []
    losses: list[float] = []
    chosen: list[dict[str, float]] = []

    def objective(trial: Any) -> float:
        chosen.append(family.suggest(trial))
        predictions, _ = run.held_out(replace(family.default, **chosen[-1]), splits.by_choice, f"trial_{trial.number}")
        tried.append(predictions)
        losses.append(order_loss_of(rows, splits, predictions))
        run.watch("search/order_loss", trial.number, losses[-1])
        return losses[-1]

    optuna = library("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    first = asdict(family.default)
    study.enqueue_trial({name: first[name] for name in family.suggest(optuna.trial.FixedTrial(first))})
    study.optimize(objective, n_trials=trials)
    best = int(np.argmin(losses))
    options = replace(family.default, **chosen[best])
    out_of_fold, rounds = run.held_out(options, splits.by_user, "fold")
    last = replace(options, **{family.rounds: int(np.median(rounds))})
    return Candidate(
        model=run.fit(last, rows, None, "final").model,
        options={name: float(getattr(last, name)) for name in (*chosen[best], family.rounds)},
        losses={f"trial {number}": loss for number, loss in enumerate(losses)},
        out_of_fold=out_of_fold,
        chosen_on=tried[best],
    )


class _Run:
    """The fits of one search: counts them, and names their losses."""

    def __init__(
        self,
        family: Family,
        names: Sequence[str],
        rows: TrainingRows,
        seed: int,
        fits: int,
        progress: Progress | None,
        watch: Watch | None,
    ) -> None:
        self._family = family
        self._names = names
        self._rows = rows
        self._seed = seed
        self._fits = fits
        self._done = 0
        self._progress = progress
        self._watch = watch

    def watch(self, name: str, step: int, value: float) -> None:
        """Report a loss under the kind of model."""
        if self._watch is not None:
            self._watch(f"{self._family.kind}/{name}", step, value)

    def fit(self, options: Any, rows: TrainingRows, validation: TrainingRows | None, name: str) -> Fitted:
        """Fit once, reporting under this name."""

        def report(loss: str, step: int, value: float) -> None:
            self.watch(f"{name}/{loss}", step, value)

        fitted = self._family.fit(self._names, rows, options, seed=self._seed, validation=validation, watch=report)
        self._done += 1
        if self._progress is not None:
            self._progress(self._family.kind, self._done, self._fits)
        return fitted

    def held_out(self, options: Any, parts: Sequence[Split], name: str) -> tuple[Vector, list[int]]:
        """Return predictions of the rows judged, float64 [n] with NaN elsewhere, and the rounds each fit kept."""
        predictions, rounds = np.full(len(self._rows.money), np.nan), []
        for number, part in enumerate(parts):
            stop = self._rows.where(part.stop)
            fitted = self.fit(options, self._rows.where(part.fit), stop, f"{name}_{number}")
            judged = self._rows.where(part.judge)
            predictions[part.judge] = fitted.model.predict(judged.values, judged.profiles)
            rounds.append(fitted.rounds)
        return predictions, rounds
