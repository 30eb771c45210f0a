"""The scorer in use: one immutable object, so that a record is made by one artefact and never by halves of two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from features.users.catalogue import PROFILE_WIDTH
from features.users.row import Value
from features.users.state import UserState
from models.artefact.artefact import Artefact
from models.labels.table import LabelTable
from models.scoring.kinds.protocol import EXACT
from models.scoring.scorer import Predictions
from streams.inference.fit import Verdict, by_currency
from streams.inference.labelling import Labeller, Tagger

Rows = Sequence[Sequence[Value]]


@dataclass(frozen=True, eq=False)
class Scoring:
    """An artefact that has been accepted for the running encoder.

    Attributes:
        artefact: scorer, categories and all else that belongs to it.
        tagger, labeller: by its categories.
        model: the field `model` of its records: `scorer`, `encoder`, `fit`, `currency`, `trusted_up_to` and, unless it
            is exact, `attribution`.
        fitted: whether it was fitted for the running encoder; if not, it scores from behaviour alone.
        currency: of the deployment.
        verdict: whether it fits the shop.
    """

    artefact: Artefact
    tagger: Tagger
    labeller: Labeller
    model: Mapping[str, Any]
    fitted: bool
    currency: str
    verdict: Verdict

    @classmethod
    def of(cls, artefact: Artefact, encoder: str, labels: LabelTable, fitted: bool, currency: str) -> Self:
        """Make one for a running encoder of this identity, a table of labels, and the deployment's currency."""
        origin, categories = artefact.origin, artefact.categories
        verdict = by_currency(origin, currency)
        model = {
            "scorer": artefact.version,
            "encoder": encoder,
            "fit": verdict.fit.value,
            "currency": None if origin is None else origin.currency,
            "trusted_up_to": artefact.scorer.calibration.trusted_up_to,
        }
        if artefact.scorer.attribution != EXACT:
            # The reasons of a linear scorer are its own terms; those of any other depend on a method, so name it.
            model["attribution"] = artefact.scorer.attribution
        labeller = Labeller(labels if origin is None else labels.with_price_bounds(origin.price_bounds), categories)
        return cls(artefact, Tagger(categories), labeller, model, fitted, currency, verdict)

    def judged(self, verdict: Verdict) -> Self:
        """Return the same scorer with another verdict, which its records then tell."""
        return replace(self, verdict=verdict, model={**self.model, "fit": verdict.fit.value})

    @property
    def version(self) -> str:
        """The scorer's version, as every score names it."""
        return str(self.model["scorer"])

    def predict(self, rows: Rows, profiles: NDArray[np.float32]) -> Predictions:
        """Score users: rows in the order that the artefact serves, profiles float32 [n, 64]."""
        return self.artefact.scorer.predict(rows, profiles, use_profile=self.fitted)

    def try_out(self) -> None:
        """Score a user without any known feature, so that an artefact that cannot predict fails before it is needed."""
        unknown = [(None,) * len(self.artefact.scorer.row_names)]
        self.predict(unknown, np.zeros((1, PROFILE_WIDTH), np.float32))


@dataclass(frozen=True, slots=True)
class Served:
    """One micro-batch of served users, for the watchers of the models. Everything in it is only to be read.

    Attributes:
        scoring: the scorer that scored them.
        users: their ids.
        states: as they were served.
        instants: T of each, ms.
        rows: scalar features, in the order that the artefact serves.
        profiles: float32 [n, 64].
        predicted: the predictions that were published.
    """

    scoring: Scoring
    users: Sequence[str]
    states: Sequence[UserState]
    instants: Sequence[int]
    rows: Rows
    profiles: NDArray[np.float32]
    predicted: Predictions
