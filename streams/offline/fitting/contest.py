"""Kinds of scorer trained on the same rows, and the choice among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from features.users.catalogue import NAMES, TRANSFORMS
from models.artefact.artefact import Artefact
from models.artefact.holdout import Holdout
from models.scoring.kinds.protocol import Watch
from models.training.candidate import Candidate, Progress, Vector, order_loss
from models.training.search import LEAST_FOLDS
from models.training.train import SEARCHED, TrainingResult, train
from streams.exceptions import ConfigurationError
from streams.offline.training.making import artefact_of
from streams.offline.training.source import Source


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The options of a contest.

    Attributes:
        kinds: that take part, some of `models.training.train.KINDS`.
        seed: of folds, search and fits.
        folds: of the users.
        trials: options tried of `ziln` and `gbm`.
        made: the date in the versions of the artefacts.

    Raises:
        ConfigurationError: a kind needs more folds.
    """

    kinds: Sequence[str]
    seed: int
    folds: int
    trials: int
    made: date

    def __post_init__(self) -> None:
        if self.folds < LEAST_FOLDS and (needy := [kind for kind in self.kinds if kind in SEARCHED]):
            raise ConfigurationError(
                f"--folds: expected at least {LEAST_FOLDS} for {', '.join(needy)}, found {self.folds}; pass more, or "
                "another --scorer"
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class Contest:
    """The outcome of a contest, by kind.

    Attributes:
        results: of the training.
        artefacts: of the scorers.
        losses: that the choice is made by.
    """

    results: Mapping[str, TrainingResult]
    artefacts: Mapping[str, Artefact]
    losses: Mapping[str, float]

    @property
    def chosen(self) -> str:
        """The kind of least loss; of equal ones the first."""
        return min(self.losses, key=self.losses.__getitem__)

    @property
    def artefact(self) -> Artefact:
        """That of the kind chosen."""
        return self.artefacts[self.chosen]


def contest(
    source: Source,
    holdout: Holdout | None,
    rules: Rules,
    *,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Contest:
    """Train every kind; what one of them has in common with another is fitted once.

    Args:
        source: the rows.
        holdout: the users who were left out of the rows; None for none.
        rules: the options.
        progress: called with the kind, the steps done and the steps in all.
        watch: called with the name of a loss, the step and the loss.

    Raises:
        InvalidInputError: rows that cannot be trained on, or too few folds with users.
        MissingLibraryError: a library that a kind needs is not installed.
    """
    made: dict[str, Candidate] = {}
    results = {
        kind: train(
            NAMES,
            source.values,
            source.profiles,
            source.money,
            source.users,
            seed=rules.seed,
            kind=kind,
            transforms=TRANSFORMS,
            instants=source.instants,
            folds=rules.folds,
            trials=rules.trials,
            progress=progress,
            watch=watch,
            made=made,
        )
        for kind in rules.kinds
    }
    return Contest(
        results=results,
        artefacts={
            kind: artefact_of(source, result, seed=rules.seed, made=rules.made, holdout=holdout)
            for kind, result in results.items()
        },
        losses={kind: _loss(result, source.money) for kind, result in results.items()},
    )


def _loss(result: TrainingResult, money: Vector) -> float:
    """Return 1 - (concordance + normalised Gini) / 2 of users not fitted on.

    Where the rows allow it, that is at instants later than any outcome fitted on.
    """
    later = result.metrics.get("later")
    return later["order_loss"] if isinstance(later, dict) else order_loss(money, result.out_of_fold)
