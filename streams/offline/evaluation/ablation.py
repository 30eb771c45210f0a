"""The worth of texts: the scorer with its profile withheld, and two scorers fitted alike, one without profiles."""

from __future__ import annotations

import time
from typing import Any, Final, NamedTuple

import numpy as np

from features.users.catalogue import NAMES, TRANSFORMS
from models.artefact.artefact import Artefact
from models.scoring.scorer import Scorer
from models.training.train import train
from streams.offline.evaluation.forecasts import WITHOUT_TEXT, Forecast, of_scorer
from streams.offline.evaluation.material import Material

REFITTED: Final = "refitted"
REFITTED_WITHOUT_TEXT: Final = "refitted_without_text"

PAIRS: Final = {"withheld": ("scorer", WITHOUT_TEXT), "refitted": (REFITTED, REFITTED_WITHOUT_TEXT)}
"""The pairs of names with and without text, by the way in which the text is taken away."""

_TRIALS: Final = 1
"""Trials of a search for options: one, which is the default options, on both sides."""


class Ablation(NamedTuple):
    """The forecasts of an ablation.

    Attributes:
        forecasts: the forecasts by name.
        fit_seconds: seconds that the fit with text took.
        rows: number of rows fitted on.
    """

    forecasts: dict[str, Forecast]
    fit_seconds: float
    rows: int


def ablation(artefact: Artefact, material: Material, seed: int) -> Ablation:
    """Score without the profile, and fit the same kind of scorer to the known rows with and without it.

    A scorer whose profile is withheld shows how far it relies on the profile. Only a scorer that was fitted without
    profiles shows whether text helps.

    Raises:
        InvalidInputError: the known rows cannot be trained on.
        MissingLibraryError: a library that this kind of scorer needs is not installed.
    """
    forecasts = {}
    if material.use_profile:
        forecasts[WITHOUT_TEXT] = of_scorer(artefact.scorer, material, use_profile=False)
    begun = time.perf_counter()
    forecasts[REFITTED] = of_scorer(_refitted(artefact, material, seed, True), material, use_profile=True)
    seconds = time.perf_counter() - begun
    bare = _refitted(artefact, material, seed, False)
    forecasts[REFITTED_WITHOUT_TEXT] = of_scorer(bare, material, use_profile=False)
    return Ablation(forecasts, seconds, len(material.known.users))


def _refitted(artefact: Artefact, material: Material, seed: int, with_text: bool) -> Scorer:
    known = material.known
    chosen: Any = artefact.metrics.get("options")
    given = chosen if isinstance(chosen, dict) else {}
    options: dict[str, Any] = {
        f"{name}s": (given[name],) for name in ("weight_decay", "profile_weight_decay") if name in given
    }
    return train(
        NAMES,
        known.values,
        known.profiles if with_text else np.zeros_like(known.profiles),
        known.money,
        known.users,
        seed=seed,
        kind=artefact.scorer.model.kind,
        transforms=TRANSFORMS,
        instants=known.instants,
        trials=_TRIALS,
        **options,
    ).scorer
