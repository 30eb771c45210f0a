"""What the README tells a newcomer to run, and to write, works."""

from __future__ import annotations

import random
import re
from typing import Any

import orjson
import pytest
from support.pages import README, blocks, section, text_of
from support.paths import ROOT

from features.online.user_views import VIEWS
from streams.cli.main import COMMANDS
from streams.contract import SCORES
from streams.operating.read_back import Scores, take_score

PROMISED = {
    *("demo", "replay", "worker", "produce", "features", "scores", "history", "train", "evaluate", "backtest"),
    *("finetune", "erase", "redrive"),
}
LINES = 150


def record(life: int, revision: int, event_time: int, emitted_at: int) -> bytes:
    return orjson.dumps({"life": life, "revision": revision, "event_time": event_time, "emitted_at": emitted_at})


def test_it_is_short() -> None:
    assert text_of(README).count("\n") <= LINES


def test_no_command_that_was_promised_is_missing() -> None:
    assert set(COMMANDS) >= PROMISED


def test_the_make_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = re.findall(r"(?:`|^)make ([a-z-]+)", text_of(README), re.MULTILINE)
    assert named
    assert set(named) <= targets


@pytest.mark.parametrize("seed", range(20))
def test_the_example_consumer_keeps_what_the_program_keeps(seed: int) -> None:
    source, _ = blocks(section(README, "Using it"), "python")
    example: dict[str, Any] = {}
    exec(source, example)
    draw = random.Random(seed)
    kept: Scores = {}
    expected: Scores = {}
    for _ in range(100):
        user, numbers = draw.choice("abc"), [draw.randrange(3) for _ in range(4)]
        value = None if draw.random() < 0.1 else record(*numbers)
        example["take"](kept, user, value)
        take_score(expected, user.encode(), value)
        assert kept == expected
    assert f'"{SCORES}"' in source


def test_the_example_reader_asks_for_features_that_are_served() -> None:
    _, source = blocks(section(README, "Using it"), "python")
    served = {f"{view.name}__{feature.name}" for view in VIEWS for feature in view.features}
    asked = set(re.findall(r'row\["(\w+)"\]', source))
    assert asked
    assert asked <= served
