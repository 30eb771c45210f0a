"""The list of changes belongs to the version that is being made."""

from __future__ import annotations

import re
import tomllib

from support.pages import text_of
from support.paths import ROOT


def test_the_newest_changes_are_those_of_the_version_that_is_built() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    headings = re.findall(r"^## (\S+?)(?:,.*)?$", text_of(ROOT / "CHANGELOG.md"), flags=re.MULTILINE)
    assert headings[0] == version
    assert len(headings) == len(set(headings))
