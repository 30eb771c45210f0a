"""One table of scorers and baselines, each judged on users whom it was not fitted on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from features.users.catalogue import NAMES
from models.artefact.artefact import Artefact
from models.training.train import TrainingResult
from streams.offline.evaluation.comparison import MEASURES
from streams.offline.evaluation.forecasts import Forecast, of_baselines, of_scorer
from streams.offline.evaluation.material import Material, Rows
from streams.offline.evaluation.words import MODEL_NAMES
from streams.offline.sample.orders import customers
from streams.offline.training.source import SAMPLE, Source

SHOWN: Final = {
    "concordance": "concordance",
    "normalized_gini": "Gini",
    "top_decile_share": "top tenth",
    "calibration_error": "cal. error",
    "mae": "MAE",
}
"""The measures of the table and their headings: three of order, two of money."""

IN_USE: Final = "in_use"

_NAMES: Final = MODEL_NAMES | {IN_USE: "the scorer in use"}
_NAME_WIDTH: Final = 21
_COLUMN_WIDTH: Final = 11


@dataclass(frozen=True, kw_only=True)
class Table:
    """The measures of scorers and baselines.

    Attributes:
        judged: on which rows, in words.
        models: the measures of `SHOWN` of every model, by its name.
        in_use: the version of the scorer in use.
        in_use_may_know: whether that one may have been trained on users judged here.
    """

    judged: str
    models: Mapping[str, Mapping[str, float]]
    in_use: str
    in_use_may_know: bool

    def document(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return asdict(self)

    def lines(self, chosen: str) -> Iterator[str]:
        """Yield the table as lines of at most 80 columns, with a star at one model."""
        yield f"judged on {self.judged}; less is better in the last two columns:"
        yield f"  {'':{_NAME_WIDTH}}" + "".join(f"{heading:>{_COLUMN_WIDTH}}" for heading in SHOWN.values())
        for name, row in self.models.items():
            cells = "".join(f"{round(row[measure], 3) + 0.0:>{_COLUMN_WIDTH},.3f}" for measure in SHOWN)
            yield f"{'*' if name == chosen else ' '} {_NAMES.get(name, name):{_NAME_WIDTH}}{cells}"
        known = ", which may have been trained on these users" if self.in_use_may_know else ""
        yield f"  the scorer in use is {self.in_use}{known}"


def on_holdout(material: Material, scorers: Mapping[str, Artefact], in_use: Artefact) -> Table:
    """Judge scorers on the users whom they hold out, beside baselines fitted on the other users.

    Args:
        material: the rows to judge, and those of the other users.
        scorers: by their kind, all trained on profiles of the rows' encoder.
        in_use: the scorer that the settings name.

    Raises:
        InvalidInputError: the other users have no order, or a baseline cannot be fitted to them.
        MissingLibraryError: a library that a baseline needs is not installed.
    """
    (encoder,) = {artefact.encoder_identity for artefact in scorers.values()}
    forecasts = {
        name: of_scorer(
            artefact.serving(NAMES, None, artefact.width).scorer, material, use_profile=artefact.matches(encoder)
        )
        for name, artefact in {**scorers, IN_USE: in_use}.items()
    }
    forecasts |= of_baselines(material)
    users = len(set(material.asked.users))
    return _table(
        f"{len(material.asked.users):,} rows of the {users:,} users held out",
        material.asked,
        forecasts,
        in_use,
    )


def out_of_fold(source: Source, results: Mapping[str, TrainingResult], in_use: Artefact) -> Table:
    """Judge scorers and baselines on the rows of their training, each row by the fit that has not seen its user.

    Args:
        source: the rows.
        results: of the training, by kind; all have the same folds.
        in_use: the scorer that the settings name.

    Raises:
        InvalidInputError: a fold leaves no order, or a baseline cannot be fitted to it.
        MissingLibraryError: a library that a baseline needs is not installed.
    """
    rows = Rows(
        values=source.values,
        profiles=source.profiles,
        money=source.money,
        users=source.users,
        instants=source.instants,
    )
    everything = {kind: Forecast(result.out_of_fold, result.out_of_fold_spend, 0.0) for kind, result in results.items()}
    fitted = in_use.matches(source.encoder_identity)
    predicted = in_use.serving(NAMES, None, in_use.width).scorer.predict(rows.values, rows.profiles, use_profile=fitted)
    everything[IN_USE] = Forecast(predicted.prediction, predicted.expected_spend, 0.0)
    splits = next(iter(results.values())).splits
    for part in splits.by_user:
        material = Material(
            asked=rows.where(part.judge),
            known=rows.where(~part.judge),
            regular=source.population[~part.judge],
            use_profile=fitted,
            data=source.data,
            overlap="none",
            overlap_reason="each fold is judged by fits to the others",
        )
        for name, said in of_baselines(material).items():
            whole = everything.setdefault(name, Forecast(np.empty_like(rows.money), np.empty_like(rows.money), 0.0))
            whole.order[part.judge], whole.money[part.judge] = said.order, said.money
    chosen = source.population
    judged = rows.where(chosen)
    forecasts = {name: Forecast(said.order[chosen], said.money[chosen], 0.0) for name, said in everything.items()}
    users = len(set(judged.users))
    words = f"{len(judged.users):,} rows of {users:,} users, each by fits that have not seen its user"
    return _table(words, judged, forecasts, in_use)


def _table(judged: str, rows: Rows, forecasts: Mapping[str, Forecast], in_use: Artefact) -> Table:
    return Table(
        judged=judged,
        models={
            name: {measure: MEASURES[measure](rows.money, said) for measure in SHOWN}
            for name, said in forecasts.items()
        },
        in_use=in_use.version,
        in_use_may_know=_may_know(in_use, rows),
    )


def _may_know(artefact: Artefact, rows: Rows) -> bool:
    """Tell whether an artefact may have been trained on users of these rows."""
    users = set(rows.users)
    if artefact.holdout is not None:
        return not all(map(artefact.holdout.holds_out, users))
    if artefact.data != SAMPLE:
        return True
    # It was trained on bundled customers. Ids of another shop may be theirs by chance, but hardly most of them.
    bundled = users.intersection(customers())
    return len(bundled) > len(users) / 2
