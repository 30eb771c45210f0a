"""The origin of a scorer: measured, kept in the artefact, and absent from those of earlier releases."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support.artefacts import fitted_artefact

from models.artefact.artefact import Artefact
from models.artefact.files import DOCUMENT_FILE
from models.artefact.origin import Origin, beyond
from models.exceptions import ArtefactError
from models.scoring.calibration import Calibration

NOTHING = np.full(3, np.nan)
ORIGIN = Origin(
    shop="a shop of hats", currency="EUR", order_values=[5.0, 8.0, 9.0, 12.0, 40.0], price_bounds=[8.0, 9.0, 30.0]
)
AMOUNTS = hnp.arrays(np.float64, st.integers(0, 60), elements=st.floats(0, 1e9) | st.just(np.nan))


def written(folder: Path) -> dict:
    document: dict = json.loads((folder / DOCUMENT_FILE).read_text())
    return document


def test_an_artefact_keeps_where_it_comes_from_and_how_far_its_money_was_measured(tmp_path: Path) -> None:
    shipped = fitted_artefact()
    calibration = Calibration(np.array([0.0, 1.0, 2.0]), np.array([0.0, 5.0, 9.0]), 5.0)
    made = replace(shipped, origin=ORIGIN, scorer=replace(shipped.scorer, calibration=calibration))
    made.save(tmp_path)
    read = Artefact.load(tmp_path)
    assert read.origin == ORIGIN
    assert read.scorer.calibration.trusted_up_to == 5.0
    assert read.version == made.version
    assert written(tmp_path)["format_version"] == 3


def test_an_artefact_without_them_is_written_as_earlier_releases_read_it(tmp_path: Path) -> None:
    shipped = fitted_artefact()
    level = Calibration(np.array([0.0, 1.0]), np.array([2.0, 5.0]))
    old = replace(shipped, origin=None, scorer=replace(shipped.scorer, calibration=level))
    old.save(tmp_path)
    assert written(tmp_path)["format_version"] == 2
    assert not {"origin", "trusted_up_to"} & set(written(tmp_path))
    read = Artefact.load(tmp_path)
    assert read.origin is None
    assert read.scorer.calibration.trusted_up_to == 5.0


@pytest.mark.parametrize(
    "change",
    [
        {"order_values": [1.0, 2.0]},
        {"order_values": [5.0, 4.0, 3.0, 2.0, 1.0]},
        {"viewed_prices": [-1.0, 1.0, 2.0, 3.0, 4.0]},
        {"price_bounds": [1.0, 2.0, "x"]},
        {"shop": 7},
        {"currency": ""},
        {"currency": "\x1b[31mUSD"},
        {"town": "Paris"},
    ],
)
def test_an_origin_that_is_none_is_refused_in_one_line(tmp_path: Path, change: dict) -> None:
    replace(fitted_artefact(), origin=ORIGIN).save(tmp_path)
    document = written(tmp_path)
    document["origin"].update(change)
    (tmp_path / DOCUMENT_FILE).write_text(json.dumps(document))
    with pytest.raises(ArtefactError, match=r"model\.json: expected the description of an artefact") as refused:
        Artefact.load(tmp_path)
    assert "\n" not in str(refused.value)


@given(AMOUNTS, AMOUNTS, AMOUNTS)
@settings(deadline=None)
def test_whatever_is_measured_makes_an_origin(viewed: np.ndarray, orders: np.ndarray, prices: np.ndarray) -> None:
    made = Origin.fit("", "USD", viewed=viewed, orders=orders, prices=prices)
    for amounts, levels in ((viewed, made.viewed_prices), (orders, made.order_values)):
        known = amounts[~np.isnan(amounts)]
        assert bool(levels) == (known.size >= 10)
        assert set(levels) <= set(known.tolist())
        share = beyond(amounts, levels)
        # Of those measured, a twentieth lies below and a twentieth above, as far as they can be told apart.
        assert share is None or share <= 0.1


def test_few_amounts_count_only_if_all_lie_outside() -> None:
    levels = ORIGIN.order_values
    inside, outside = np.full(20, 10.0), np.full(20, 100.0)
    assert beyond(outside[:3], levels) is None
    assert beyond(outside[:4], levels) == 1.0
    assert beyond(np.concatenate([outside[:8], inside[:1]]), levels) is None
    assert beyond(np.concatenate([outside[:9], inside[:1], NOTHING]), levels) == pytest.approx(0.9)
    assert beyond(inside, levels) == 0.0
    assert beyond(inside, []) is None
