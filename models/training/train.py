"""Training a scorer: choose a model by cross-validation over users and time, calibrate it, fit it on every row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.exceptions import InvalidInputError
from models.measures.spend import concordance, normalized_gini, rmse, summary, top_decile_share
from models.scoring.calibration import Calibration
from models.scoring.columns import Columns
from models.scoring.kinds.protocol import Watch
from models.scoring.population import reference_of
from models.scoring.scorer import Scorer
from models.scoring.standardising import ScalarRows, Transform
from models.training.candidate import Candidate, Progress, Vector, order_loss_of
from models.training.ensemble import ensemble_candidate
from models.training.fits.linear import EPOCHS
from models.training.linear import WEIGHT_DECAYS, linear_candidate
from models.training.loglinear import PROFILE_WEIGHT_DECAYS, loglinear_candidate
from models.training.loglinear import WEIGHT_DECAYS as LOGLINEAR_DECAYS
from models.training.rows import TrainingRows
from models.training.search import BOOSTING, TRIALS, ZILN, searched_candidate
from models.training.splits import Splits, split
from models.training.threads import one_thread

Metrics = dict[str, float | dict[str, float]]

KINDS: Final = ("loglinear", "linear", "ziln", "gbm", "ensemble")

SEARCHED: Final = ("ziln", "gbm", "ensemble")
"""The kinds whose options are searched for, or whose members' are: they stop early, for which they need a fold more."""

_MEMBERS: Final = ("linear", "ziln", "gbm")


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingResult:
    """The result of a training run.

    Attributes:
        scorer: fitted on every row, to the features that vary; it takes rows of all the features given.
        left_out: the features given that do not vary in the rows, and that the scorer therefore has no part of.
        options: those chosen, by name.
        out_of_fold: float64 [n], each row's prediction by the model that has not seen its user.
        out_of_fold_spend: float64 [n], money, calibrated on the other folds' out-of-fold predictions.
        splits: how the rows were divided.
        metrics: of the out-of-fold predictions and spend; by fold; of the later rows the choice was made on; and
            the loss of everything that was tried.
        data_hash: SHA-256 of the training rows with the features fitted on, in hexadecimal.
    """

    scorer: Scorer
    left_out: tuple[str, ...]
    options: Mapping[str, float]
    out_of_fold: Vector
    out_of_fold_spend: Vector
    splits: Splits
    metrics: Metrics
    data_hash: str


def train(
    names: Sequence[str],
    scalars: ScalarRows,
    profiles: NDArray[np.floating],
    target_money: ArrayLike,
    users: Sequence[str],
    *,
    seed: int,
    kind: str = "loglinear",
    transforms: Mapping[str, str] | None = None,
    instants: NDArray[np.int64] | None = None,
    folds: int = 5,
    weight_decays: Sequence[float] | None = None,
    profile_weight_decays: Sequence[float] = PROFILE_WEIGHT_DECAYS,
    epochs: int = EPOCHS,
    trials: int = TRIALS,
    progress: Progress | None = None,
    watch: Watch | None = None,
    made: MutableMapping[str, Candidate] | None = None,
) -> TrainingResult:
    """Choose a model's options by cross-validation over users and time, then fit it on every row.

    Options are chosen on instants later than any outcome the candidate has been fitted on, of users it has not
    seen (`models.training.splits`). The reported errors and the calibration come from a second cross-validation
    with the options chosen, over users at every instant. The choice has seen its rows, so its errors flatter by
    the little that a choice among so few can. The same arguments give the same bytes on the same machine: the
    folds depend on the seed and the user's id alone, and the arithmetic runs in one thread. Features that do not
    vary in the rows are left out: the result is that of the others alone.

    Args:
        names: the k features; at least one has to vary.
        scalars: n rows of k values in that order, None for null.
        profiles: [n, 64], unit or zero.
        target_money: [n], money spent in the 30 days after the row's cut-off, >= 0.
        users: [n], the user of each row; a user's rows share a fold.
        seed: of the folds, the search and the fits.
        kind: `loglinear`, `linear`, `ziln`, `gbm` or `ensemble` (of the three before it).
        transforms: of features by name, each a value of `Transform`; a feature without one gets `signed_log1p`.
        instants: int64 [n], T of each row in ms; None splits by user alone.
        folds: at least 2; at least 3 for `ziln`, `gbm` and `ensemble`.
        weight_decays: candidates of `linear` and `loglinear`, each > 0; None are the kind's own.
        profile_weight_decays: candidates of `loglinear` for the profile's weights, each > 0.
        epochs: full-batch steps of each fit of the linear model.
        trials: options tried of each other model.
        progress: called with the kind of model, the steps done and the steps in all.
        watch: called with the name of a loss, the step and the loss.
        made: candidates by kind, of earlier calls with the same arguments but for `kind`. They are not fitted again,
            and those fitted now are added.

    Raises:
        InvalidInputError: an unknown kind, shapes that do not fit, numbers not finite, negative money, money or
            features that do not vary, or too few folds with users.
        MissingLibraryError: a library that this kind needs is not installed.
    """
    given = {name: Transform(transform) for name, transform in (transforms or {}).items()}
    every = TrainingRows.checked(names, scalars, profiles, target_money, users, given)
    columns = every.varying(names)
    names, rows = columns.names, every.taking(columns)
    splits = split(rows, users, instants, folds, seed)
    watching: dict[str, Any] = {"progress": progress, "watch": watch}
    searching: dict[str, Any] = {"seed": seed, "trials": trials, **watching}
    loglinear: dict[str, Any] = {
        "weight_decays": LOGLINEAR_DECAYS if weight_decays is None else weight_decays,
        "profile_weight_decays": profile_weight_decays,
    }
    linear: dict[str, Any] = {
        "weight_decays": WEIGHT_DECAYS if weight_decays is None else weight_decays,
        "epochs": epochs,
    }
    makers: dict[str, Callable[[], Candidate]] = {
        "loglinear": lambda: loglinear_candidate(names, rows, splits, **loglinear, **watching),
        "linear": lambda: linear_candidate(names, rows, splits, **linear, **watching),
        "ziln": lambda: searched_candidate(ZILN, names, rows, splits, **searching),
        "gbm": lambda: searched_candidate(BOOSTING, names, rows, splits, **searching),
        "ensemble": lambda: ensemble_candidate([candidate(member) for member in _MEMBERS], rows, splits),
    }
    known: MutableMapping[str, Candidate] = {} if made is None else made

    def candidate(kind: str) -> Candidate:
        if kind not in known:
            known[kind] = makers[kind]()
        return known[kind]

    if kind not in makers:
        raise InvalidInputError(f"scorer: expected one of {', '.join(KINDS)}, found {kind!r}")
    with one_thread():
        return _result(candidate(kind), columns, rows, splits, users)


def _result(
    candidate: Candidate, columns: Columns, rows: TrainingRows, splits: Splits, users: Sequence[str]
) -> TrainingResult:
    spend = np.empty(len(rows.money))
    for part in splits.by_user:
        others = Calibration.fit(candidate.out_of_fold[~part.judge], rows.money[~part.judge])
        spend[part.judge] = others.apply(candidate.out_of_fold[part.judge])
    return TrainingResult(
        scorer=Scorer(
            model=candidate.model,
            reference=reference_of(candidate.model.predict(rows.values, rows.profiles)),
            calibration=Calibration.fit(candidate.out_of_fold, rows.money),
            columns=columns,
        ),
        left_out=tuple(name for name in columns.row if name not in columns.names),
        options=candidate.options,
        out_of_fold=candidate.out_of_fold,
        out_of_fold_spend=spend,
        splits=splits,
        metrics=_metrics(candidate, rows, splits, users, spend),
        data_hash=rows.digest(columns.names, users),
    )


def _metrics(candidate: Candidate, rows: TrainingRows, splits: Splits, users: Sequence[str], spend: Vector) -> Metrics:
    by_fold = [
        (rows.target[part.judge], rows.money[part.judge], candidate.out_of_fold[part.judge]) for part in splits.by_user
    ]
    metrics: Metrics = {
        "rows": float(len(rows.money)),
        "users": float(len(set(users))),
        "options": dict(candidate.options),
        "loss_by_option": dict(candidate.losses),
        "rmse_log1p_by_fold": {str(fold): rmse(target, out) for fold, (target, _, out) in enumerate(by_fold)},
        "concordance_by_fold": {
            str(fold): concordance(money, out)
            for fold, (_, money, out) in enumerate(by_fold)
            if money.min() < money.max()
        },
        **summary(rows.money, candidate.out_of_fold, spend),
    }
    if splits.timed:
        judged = ~np.isnan(candidate.chosen_on)
        money, later = rows.money[judged], candidate.chosen_on[judged]
        metrics["later"] = {
            "rows": float(judged.sum()),
            "concordance": concordance(money, later),
            "normalized_gini": normalized_gini(money, later),
            "top_decile_share": top_decile_share(money, later),
            "rmse_log1p": rmse(rows.target[judged], later),
            "order_loss": order_loss_of(rows, splits, candidate.chosen_on),
        }
    return metrics
