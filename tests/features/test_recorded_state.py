"""States as releases have written them: every later one has to read them, so that an upgrade can roll."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from features import codec, row
from features.definitions import NAMES
from features.observation import category_key
from features.tiles import DAY

NEWEST = 1_764_000_000_000
ENCODER = "all-MiniLM-L6-v2@0123456789ab"

# Version 1: two purchases 40 days apart, a view, a search, a review and a noisy review.
VERSION_1 = """
AQAAAZq2l+QYAAAAAAAAAAbcABAGlAYAB//AzwAAAZq2l+gAzwAAAZnomYgAzwAAAZq2l+gAAs4CE3awk8QQeLpm2G9xQkDEES62ob/CzsQIaJ
T3WX57iEHEGIs+2fAhO6am7e/WFVoIAcuT6B+ZfhSUsNwAGM4AWbi0AAAAAAEAAM4AWbi/AAAAAAACAM4AWbjAAAAAAQAAzgBT7GDcAB7OAAd5
yAEAAAAAAADOAJghUAHOAAd6DwAAAAABAgAAAM4AB3oQAAAAAQAAzgBT7GAAANwAGs1PvQEAAAAAAADOAJghUAEAAADNT8AAAAABAQLOAFPsYA
AAAc4ATEtAAYHNT8CCzs1n724Bzkgpq6kBvWFsbC1NaW5pTE0tTDYtdjJAMDEyMzQ1Njc4OWFizwAAAZq2lv2gxQIAIK1Y8EwI4D8ghwB7CQjg
Px5hqAXGB+A/HDtQkIIH4D8cFfgaPwfgPxzvn6X7BuA/GslHMLgG4D8Yo++6dAbgPxh9l0UxBuA/GFc/0O0F4D8WMedaqgXgPxQLj+VmBeA/FO
U2cCMF4D8Uv9763wTgPxKZhoWcBOA/EHMuEFkE4D8QTdaaFQTgPw8nfiXSA+A/DgEmsI4D4D8M2806SwPgPwy1dcUHA+A/C48dUMQC4D8KacXa
gALgPwhDbWU9AuA/CB0V8PkB4D8H97x6tgHgPwbRZAVzAeA/BKsMkC8B4D8EhbQa7ADgPwNfXKWoAOA/AjkEMGUA4D8AE6y6IQDgP//Zp4q8/9
8//Y33nzX/3z/7QUe1rv7fP/n1lson/t8/96nm36D93z/1XTb1Gf3fP/MRhgqT/N8/8cXVHwz83z/ueSU1hfvfP+wtdUr++t8/6uHEX3f63z/o
lRR18PnfP+ZJZIpp+d8/5P2zn+L43z/isQO1W/jfP+BlU8rU998/3hmj30333z/czfL0xvbfP9qBQgpA9t8/2DWSH7n13z/W6eE0MvXfP9SdMU
qr9N8/0lGBXyT03z/QBdF0nfPfP865IIoW898/zG1wn4/y3z/KIcC0CPLfP8jVD8qB8d8/xolf3/rw3z/EPa/0c/DfP8Lx/gnt798/wKVOH2bv
3z8=
"""


@pytest.mark.parametrize("recorded", [VERSION_1], ids=["version 1"])
def test_a_recorded_state_is_read_as_it_was_written(recorded):
    state = codec.decode(base64.b64decode("".join(recorded.split())))
    served = dict(zip(NAMES, row.scalars(state, NEWEST), strict=True))
    assert (state.epoch, state.sequence, state.revision) == (1_763_999_999_000, 6, 6)
    assert (state.newest, state.offsets) == (NEWEST, [6, 0, 7, -1])
    assert {name: served[name] for name in ("purchases_30d", "lifetime_purchases", "lifetime_spend")} == {
        "purchases_30d": 1,
        "lifetime_purchases": 2,
        "lifetime_spend": 34.83,
    }
    assert (served["views_7d"], served["mean_viewed_price_7d"], served["views_24h"]) == (1, 9.97, 0)
    assert (served["reviews_1h"], served["mean_rating_30d"], served["noisy_reviews_30d"]) == (2, 2.5, 1)
    assert (served["searches_24h"], served["tenure_days"]) == (1, 40.0)
    assert state.categories.counts(NEWEST) == {category_key("jazz"): 1, category_key("rock"): 1}
    total = 0.5 * 2.0 ** (-3_540_000 / (14 * DAY)) * np.linspace(-1, 1, 64) + np.linspace(1, 0, 64)
    np.testing.assert_allclose(row.profile(state, ENCODER), total / np.linalg.norm(total), atol=1e-6)


def test_a_state_of_a_later_version_is_refused_with_what_to_do():
    later = b"\x02" + base64.b64decode("".join(VERSION_1.split()))[1:]
    with pytest.raises(codec.StateFormatError, match="version 2: run the release that wrote it"):
        codec.decode(later)


def test_reading_and_writing_a_state_changes_nothing_that_is_served():
    state = codec.decode(base64.b64decode("".join(VERSION_1.split())))
    again = codec.decode(codec.encode(state))
    for instant in (NEWEST, NEWEST + DAY, NEWEST + 29 * DAY, NEWEST + 100 * DAY):
        assert row.scalars(again, instant) == row.scalars(state, instant)
