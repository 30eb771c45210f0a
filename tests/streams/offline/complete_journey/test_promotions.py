"""The promoted weeks of Complete Journey."""

from __future__ import annotations

from datetime import datetime
from importlib import util
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streams.exceptions import ConfigurationError
from streams.offline.complete_journey.promotions import promoted_weeks, week_begin


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of a made-up package: the table of the real one has 21 million rows."""

    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(util, "find_spec", lambda _: Spec())
    folder = tmp_path / "data"
    folder.mkdir()
    shown = {"product_id": [1, 1, 1, 3], "store_id": [7, 8, 7, 7], "week": [5, 5, 9, 2]}
    pq.write_table(pa.table(shown), folder / "promotions.parquet")
    campaigns = {
        "campaign_id": [4, 6],
        "start_date": [datetime(2017, 1, 9), datetime(2017, 12, 20)],
        "end_date": [datetime(2017, 1, 24), datetime(2018, 2, 4)],
    }
    pq.write_table(pa.table(campaigns), folder / "campaign_descriptions.parquet")
    coupons = {"coupon_upc": [0, 0, 0], "product_id": [1, 2, 3], "campaign_id": [4, 6, 6]}
    pq.write_table(pa.table(coupons), folder / "coupons.parquet")
    return folder


def test_a_product_is_promoted_where_it_was_shown_and_while_it_had_a_coupon(tables: Path) -> None:
    # Of the campaign from 9 to 24 January three weeks begin in it; of that over the new year, the last of the data.
    assert promoted_weeks(["1", "2", "4"]) == {"1": {3, 4, 5, 9}, "2": {53}}
    assert promoted_weeks([]) == {}


def test_weeks_follow_one_another_from_the_first_monday_on() -> None:
    monday = datetime.fromisoformat("2017-01-02T05:00:00+00:00").timestamp() * 1000
    assert week_begin(2) == monday
    assert week_begin(53) - week_begin(2) == 51 * 7 * 24 * 3_600_000


def test_another_package_of_that_name_is_refused(tables: Path) -> None:
    pq.write_table(pa.table({"product_id": [1]}), tables / "promotions.parquet")
    with pytest.raises(ConfigurationError, match=r"promotions\.parquet, found no week: "):
        promoted_weeks(["1"])
