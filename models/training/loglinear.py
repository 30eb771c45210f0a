"""Choosing the penalties of the log-linear model: of the scalars first, then of the profile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from models.scoring.kinds.loglinear import LogLinearModel
from models.scoring.kinds.protocol import Model, Watch
from models.training.candidate import Candidate, Progress, Vector, checked_decays, order_loss
from models.training.fits.loglinear import fit_loglinear
from models.training.rows import TrainingRows
from models.training.splits import Split, Splits

WEIGHT_DECAYS: Final = (10.0, 30.0, 100.0, 300.0, 1000.0)
PROFILE_WEIGHT_DECAYS: Final = (100_000.0, 10_000.0, 1000.0, 100.0)
"""In rows, like `WEIGHT_DECAYS`. The largest leaves a profile next to no influence."""


def loglinear_candidate(
    names: Sequence[str],
    rows: TrainingRows,
    splits: Splits,
    *,
    weight_decays: Sequence[float] = WEIGHT_DECAYS,
    profile_weight_decays: Sequence[float] = PROFILE_WEIGHT_DECAYS,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Candidate:
    """Choose two penalties of least order loss, then fit with them.

    The penalty of the scalars is chosen with the profile all but silenced. The profile has as many weights as all
    scalars together and may carry nothing. Its penalty is therefore the largest whose loss exceeds the least by no
    more than one standard error over the folds (the rule of Breiman et al. 1984, here of paired differences).

    Args:
        names: the k features.
        rows: n of them.
        splits: of the rows.
        weight_decays: of the scalars, each > 0.
        profile_weight_decays: of the profile's elements, each > 0.
        progress: called after each fit.
        watch: called with the order loss of every setting.

    Raises:
        InvalidInputError: no penalty, one that is not positive, or a fold without any spend to fit to.
    """
    decays, of_profile = checked_decays(weight_decays), np.sort(checked_decays(profile_weight_decays))[::-1]
    run = _Run(names, rows, splits, (len(decays) + len(of_profile) + 1) * len(splits.by_user), progress, watch)
    by_decay = [run.judged(decay, of_profile[0], f"weight_decay {decay:g}") for decay in decays]
    decay = decays[int(np.argmin([losses.mean() for _, losses in by_decay]))]
    by_penalty = [run.judged(decay, penalty, f"profile_weight_decay {penalty:g}") for penalty in of_profile]
    chosen = _most_penalised(np.stack([losses for _, losses in by_penalty]))
    penalty = of_profile[chosen]
    return Candidate(
        model=_fit(names, rows, decay, penalty),
        options={"weight_decay": float(decay), "profile_weight_decay": float(penalty)},
        losses=run.losses,
        out_of_fold=run.held_out(decay, penalty, splits.by_user),
        chosen_on=by_penalty[chosen][0],
    )


class _Run:
    """The fits of one choice: remembers the loss of every setting, and counts them."""

    def __init__(
        self,
        names: Sequence[str],
        rows: TrainingRows,
        splits: Splits,
        fits: int,
        progress: Progress | None,
        watch: Watch | None,
    ) -> None:
        self.losses: dict[str, float] = {}
        self._names = names
        self._rows = rows
        self._splits = splits
        self._fits = fits
        self._done = 0
        self._progress = progress
        self._watch = watch

    def judged(self, decay: float, penalty: float, name: str) -> tuple[Vector, Vector]:
        """Return the predictions of one setting, as `held_out` does, and its order loss in each fold."""
        predicted = self.held_out(decay, penalty, self._splits.by_choice)
        money, parts = self._rows.money, [part.judge for part in self._splits.by_choice]
        losses = np.array([order_loss(money[judge], predicted[judge]) for judge in parts])
        if self._watch is not None:
            self._watch(f"{LogLinearModel.kind}/search/order_loss", len(self.losses), float(losses.mean()))
        self.losses[name] = float(losses.mean())
        return predicted, losses

    def held_out(self, decay: float, penalty: float, parts: Sequence[Split]) -> Vector:
        """Return predictions of the rows judged, float64 [n], NaN elsewhere."""
        predictions = np.full(len(self._rows.money), np.nan)
        for part in parts:
            model = _fit(self._names, self._rows.where(part.fit | part.stop), decay, penalty)
            judged = self._rows.where(part.judge)
            predictions[part.judge] = model.predict(judged.values, judged.profiles)
            self._done += 1
            if self._progress is not None:
                self._progress(LogLinearModel.kind, self._done, self._fits)
        return predictions


def _fit(names: Sequence[str], rows: TrainingRows, decay: float, penalty: float) -> Model:
    return fit_loglinear(names, rows, weight_decay=decay, profile_weight_decay=penalty).model


def _most_penalised(losses: Vector) -> int:
    """Return the first setting, of float64 [settings, folds], that is not told apart from the best."""
    best = losses[int(losses.mean(axis=1).argmin())]
    worse = losses - best
    error = worse.std(axis=1, ddof=1) / np.sqrt(losses.shape[1])
    return int(np.flatnonzero(worse.mean(axis=1) <= error)[0])
