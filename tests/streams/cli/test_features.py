"""`features USER`: what the online store serves, shown and not obeyed."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.command import here, refused
from support.online_rows import make_row

from features.online import open_online_store

HOSTILE = "[red]u[/]\x1b[2J\u202e:smile:"


@pytest.fixture
def served(tmp_path: Path) -> dict[str, str]:
    with closing(open_online_store(f"sqlite:///{tmp_path}/online.db")) as online:
        online.write([make_row("u1"), make_row(HOSTILE, encoder="\x9b1;31m[bold]", tier="[/]")])
    return {"WHEREWITHAL_STATE_DIR": str(tmp_path), "COLUMNS": "100"}


def test_every_feature_of_a_user_is_shown(served: dict[str, str], tmp_path: Path) -> None:
    code, out, err = here("features", "u1", **served)
    assert (code, err) == (0, "")
    assert "[64 numbers]" in out
    assert not (tmp_path / "feast").exists(), "no repository is made to read a row"
    code, out, err = here("features", "u1", "--json", **served)
    assert (code, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    assert found["revisions"] == {"user_behavior": 1, "user_profile": 1, "user_taste": 1, "purchasing_power": 1}
    assert len(found["profile_vector"]) == 64


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_what_others_wrote_is_shown_and_not_obeyed(served: dict[str, str], words: list[str]) -> None:
    code, out, err = here("features", HOSTILE, *words, **served)
    assert (code, err) == (0, "")
    assert "[red]u[/]\\u001b[2J\\u202e:smile:" in out
    assert "\\u009b1;31m[bold]" in out
    assert not set(out) & {"\x1b", "\x9b", "\u202e"}
    if words:
        assert json.loads(out)["user_id"] == HOSTILE


def test_a_user_that_is_not_known_is_one_line(served: dict[str, str]) -> None:
    assert refused(1, "features", "nobody", **served).endswith("the online store knows no such user")


def test_a_store_that_is_not_there_is_one_line_and_is_not_made(tmp_path: Path) -> None:
    line = refused(2, "features", "u", WHEREWITHAL_STATE_DIR=str(tmp_path / "none\x1b[2J"))
    assert "expected the file that the workers write, found none at" in line
    assert "\x1b" not in line
    assert list(tmp_path.iterdir()) == []
