"""Every feature speaks of something."""

from __future__ import annotations

import pytest

from features.users.catalogue import NAMES
from features.users.families import FAMILIES, OTHER, family_of


@pytest.mark.parametrize("feature", [*NAMES, "profile_vector", "taste_vector"])
def test_each_feature_has_a_family(feature: str) -> None:
    assert family_of(feature) is not OTHER


@pytest.mark.parametrize("family", [family for family in FAMILIES if family.headline], ids=lambda one: one.name)
def test_a_headline_is_a_feature_of_its_family(family) -> None:
    assert family.headline in NAMES
    assert family_of(family.headline) is family


def test_what_nobody_knows_is_other() -> None:
    assert family_of("income") is OTHER
