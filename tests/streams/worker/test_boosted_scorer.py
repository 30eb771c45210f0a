"""The whole flow under a scorer that is not linear: its reasons add up, and say how they were found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.artefacts import fitted_artefact
from support.runs import quick_settings, run_flow
from support.shoppers import encoded, random_lines
from support.spenders import spenders

from models.scoring.population import reference_of
from models.scoring.scorer import Scorer
from models.training.fits.boosting import BoostingOptions, fit_boosting
from models.training.rows import TrainingRows


def boosted() -> Scorer:
    made = spenders(400)
    rng = np.random.default_rng(0)
    names = fitted_artefact().scorer.names
    values = rng.poisson(2.0, (len(made.money), len(names))).astype(np.float64)
    values[:, names.index("lifetime_spend")] = made.values[:, 2]
    rows = TrainingRows(values, made.profiles, made.money, made.target)
    model = fit_boosting(names, rows, BoostingOptions(rounds=20, rows_per_leaf=20), seed=0).model
    reference = reference_of(model.predict(rows.values, rows.profiles))
    return replace(fitted_artefact().scorer, model=model, reference=reference)


@pytest.mark.usefixtures("broker")
async def test_reasons_of_a_boosted_scorer_add_up_and_name_their_method(tmp_path: Path) -> None:
    artefact = fitted_artefact(scorer=boosted())
    artefact.save(tmp_path / "boosted")
    settings = quick_settings(tmp_path / "state", artefact=str(tmp_path / "boosted"))
    run = await run_flow(settings, encoded(random_lines(5, 200, 12)))
    assert run.scores
    for record in run.scores.values():
        assert record["model"]["scorer"] == artefact.version
        assert record["model"]["attribution"] == "tree_path"
        assert not record["degraded"]
        explained = record["intercept"] + sum(reason["contribution"] for reason in record["reasons"])
        assert explained == pytest.approx(record["prediction"], abs=1e-9)
    assert len({record["prediction"] for record in run.scores.values()}) > 1
