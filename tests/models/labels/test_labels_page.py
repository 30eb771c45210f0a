"""The page on labels shows the shipped table as it is."""

from __future__ import annotations

import re
import tomllib

import pytest
from support.paths import ROOT

from models.labels.table import LABELS, SHIPPED

PAGE = ROOT / "docs" / "labels.md"
TITLES = {"price_band": "Price band", "lifecycle": "Lifecycle", "intent": "Intent"}


@pytest.mark.parametrize("name", LABELS)
def test_each_line_of_the_table_is_explained_in_its_order(name: str) -> None:
    section = PAGE.read_text(encoding="utf-8").split(f"\n### {TITLES[name]}\n")[1].split("\n#")[0]
    shown = [re.findall(r"`([^`]+)`", line.rsplit("|", 2)[0]) for line in section.splitlines() if line[:3] == "| `"]
    assert shown == tomllib.loads(SHIPPED.read_text(encoding="utf-8"))[name]
