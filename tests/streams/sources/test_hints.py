"""A refusal that an option would have avoided names the option."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams.sources.hints import hint_of

VIEW = {"event_id": "1", "user_id": "u", "item_id": "i", "action": "view", "timestamp": 1_764_000_000_000}


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ({"topic": "clicks", "value": VIEW | {"user_id": 7}}, "--integer-ids"),
        ({"topic": "clicks", "value": VIEW | {"item_id": 7.0}}, "--integer-ids"),
        ({"topic": "clicks", "value": VIEW | {"timestamp": "2025-11-24"}}, "--timezone"),
        ({"topic": "clicks", "value": VIEW | {"price": "1,50"}}, "--decimal-comma"),
        ({"topic": "clicks", "value": VIEW | {"item_id": None}}, "--map"),
        (VIEW, "--bare"),
        ({"event": "interaction", "user": "u", "item": "i"}, "--map"),
    ],
)
def test_the_option_is_named(tmp_path: Path, verdicts, line: object, option: str) -> None:
    file = tmp_path / "line"
    file.write_text(json.dumps(line))
    ((_, refused),) = verdicts(file)
    hint = hint_of(refused.detail)
    assert hint is not None
    assert hint.startswith(option)


def test_text_of_another_encoding_names_the_option(tmp_path: Path, verdicts) -> None:
    file = tmp_path / "line"
    search = {"event_id": "1", "user_id": "u", "query": "größe", "timestamp": 1_764_000_000_000}
    file.write_bytes(json.dumps({"topic": "searches", "value": search}, ensure_ascii=False).encode("latin-1"))
    assert (hint_of(verdicts(file)[0][1].detail) or "").startswith("--encoding")


def test_other_refusals_have_none() -> None:
    assert hint_of("action: expected one of view, found another") is None
