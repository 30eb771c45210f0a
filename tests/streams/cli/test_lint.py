"""`wherewithal lint`: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.command import VIEW, here, refused, write_lines

CLICK = {"topic": "clicks", "value": VIEW}
SEARCHED = {"type": "track", "event": "Products Searched", "messageId": "m", "userId": "u"}
SEARCHED |= {"timestamp": "2025-11-20T09:15:00Z", "properties": {"query": "a lamp for a desk, secretly"}}
PAGE = {"type": "page", "messageId": "p", "userId": "u"}


def test_a_usable_file_is_shown_within_80_columns_and_nothing_of_it_is_quoted(tmp_path: Path) -> None:
    hostile = SEARCHED | {"event": "\x1b[2J‮"}
    file = write_lines(tmp_path / "e.ndjson", [CLICK, SEARCHED, PAGE, PAGE, hostile])
    code, out, err = here("lint", "e.ndjson", folder=file.parent, COLUMNS="80")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    table, *rest = out.split("\n\n")
    assert [line.split() for line in table.splitlines()[1:4]] == [
        ["own", "clicks", "clicks", "view", "1", "1", "0"],
        ["segment", "Products", "Searched", "searches", "1", "1", "0"],
        ["segment", "page", "left", "out:", "not", "about", "a", "product", "2"],
    ]
    assert rest[0].startswith("5 lines: 2 events of 1 users, from 20")
    assert "0 refused, 3 left out" in " ".join(rest[0].split())
    assert "features that mean less" in rest[1]
    assert "secretly" not in out
    assert r"\u001b[2J\u202e" in out
    assert all(character.isprintable() or character == "\n" for character in out)


def test_json_has_every_part(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "e.ndjson", [CLICK, SEARCHED, PAGE, {"topic": "clicks"}])
    code, out, err = here("lint", file, "--json")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert (report["lines"], report["events"], report["erasures"], report["users"]) == (4, 2, 0, 1)
    assert report["sources"] == [
        {"source": "own clicks", "lines": 2, "becomes": {"clicks view": 1}, "refused": 1},
        {"source": "segment Products Searched", "lines": 1, "becomes": {"searches": 1}, "refused": 0},
    ]
    assert report["left_out"] == [{"source": "segment page", "why": "not about a product", "lines": 1}]
    assert [(kind["reason"], kind["count"], kind["first"]) for kind in report["refused"]] == [
        ("invalid", 1, {"file": str(file), "line": 4})
    ]
    assert all(finding["why"] for finding in report["findings"])
    assert report["sampled"] is False


def test_too_much_that_is_refused_is_an_error(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "e.ndjson", [CLICK, "no", "no"])
    code, out, err = here("lint", file)
    assert code == 1
    assert f"{file}:2: invalid" in out
    assert err.startswith("wherewithal lint: expected at most 0.5 of the lines refused")
    assert here("lint", file, "--max-refused", "0.7")[0] == 0


@pytest.mark.parametrize("lines", [[], [PAGE]])
def test_files_without_an_event_are_an_error(tmp_path: Path, lines: list[object]) -> None:
    file = write_lines(tmp_path / "e.ndjson", lines)
    code, _, err = here("lint", file)
    assert code in (1, 2)
    assert err.count("\n") == 1
    assert err.startswith("wherewithal lint: ")


def test_the_currency_of_the_settings_decides(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "e.ndjson", [{"topic": "clicks", "value": VIEW | {"price": 2, "currency": "EUR"}}])
    assert here("lint", file)[0] == 1
    assert here("lint", file, WHEREWITHAL_CURRENCY="EUR")[0] == 0


def test_a_named_format_refuses_the_others(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "e.ndjson", [SEARCHED])
    assert here("lint", file, "--format", "segment")[0] == 0
    for format in ("own", "ga4"):
        assert here("lint", file, "--format", format)[0] == 1


def test_what_is_no_file_and_no_format_is_one_line(tmp_path: Path) -> None:
    assert "missing" in refused(2, "lint", tmp_path / "missing")
    assert "--format" in refused(2, "lint", tmp_path / "missing", "--format", "csv")
