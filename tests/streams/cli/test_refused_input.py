"""Refused lines are told by reason and place, and too many of them fail a command."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from support.command import VIEW, here, read_rows, write_lines
from support.servers.brokers import Broker

from streams.broker.reading import read_topic
from streams.contract import DEAD_LETTERS, topic_name
from streams.settings import load_settings


def click(number: int, **changes: Any) -> dict[str, Any]:
    return {"topic": "clicks", "value": VIEW | {"event_id": f"{number}"} | changes}


@pytest.fixture
def mixed(tmp_path: Path) -> tuple[Path, Path]:
    """Two files: sound lines, a repeated one, and lines that are refused by the reader and by the worker."""
    first = [click(1), click(2, price=-1), click(3), "no object", click(3)]
    second = [click(4), {"topic": "clicks", "key": "other", "value": VIEW}, click(5, price=-2), click(6), click(7)]
    return write_lines(tmp_path / "a.ndjson", first), write_lines(tmp_path / "b.ndjson", second)


def test_a_replay_tells_each_kind_with_the_first_line_of_it(mixed: tuple[Path, Path], tmp_path: Path) -> None:
    code, out, err = here("replay", *mixed, "--dead-letters", tmp_path / "dead", "--json")
    assert (code, err) == (0, "")
    first, second = map(str, mixed)
    summary = json.loads(out)
    assert summary["dead_letters"] == 4
    assert summary["first_duplicate"] == {"file": first, "line": 5}
    kinds = [(kind["reason"], kind["count"], kind["first"]) for kind in summary["refused"]]
    assert kinds == [
        ("invalid", 2, {"file": first, "line": 2}),
        ("invalid", 1, {"file": first, "line": 4}),
        ("key_mismatch", 1, {"file": second, "line": 2}),
    ]
    assert summary["refused"][0]["detail"].startswith("price: expected")
    places = {(letter["file"], letter["line"], letter["reason"]) for letter in read_rows(tmp_path / "dead")}
    assert places == {
        (first, 2, "invalid"),
        (first, 4, "invalid"),
        (second, 2, "key_mismatch"),
        (second, 3, "invalid"),
    }


def test_a_replay_of_which_more_is_refused_than_allowed_fails_and_says_so(mixed: tuple[Path, Path]) -> None:
    code, out, err = here("replay", *mixed, "--max-refused", "0.3")
    assert code == 1
    assert f"\n          2  {mixed[0]}:2: invalid: price: expected a number" in out
    assert f"the first duplicate: {mixed[0]}:5\n" in out
    assert err == (
        "wherewithal replay: expected at most 0.3 of the lines refused (--max-refused), found 4 of 10: mend the file, "
        "or raise --max-refused\n"
    )


@pytest.mark.parametrize("share", ["-0.1", "1.1", "nan", "half", "inf"])
def test_a_share_is_a_number_from_0_to_1(share: str, events: Path) -> None:
    code, out, err = here("replay", events, f"--max-refused={share}")
    assert (code, out) == (2, "")
    assert f"--max-refused: expected a share from 0 to 1, found '{share}'" in err


def letters(broker: Broker) -> int:
    """How many dead letters the broker holds."""

    async def count() -> int:
        settings = load_settings()
        return sum([len(some) async for some in read_topic(settings, topic_name(settings, DEAD_LETTERS))])

    with pytest.MonkeyPatch.context() as patch:
        for name, value in broker.environment.items():
            patch.setenv(name, value)
        return asyncio.run(count())


def test_produce_publishes_nothing_of_a_file_of_another_kind(broker: Broker, events: Path, tmp_path: Path) -> None:
    assert here("produce", events, **broker.environment)[0] == 0
    strange = write_lines(tmp_path / "strange.log", [f"GET /{n} 200" for n in range(30)])
    code, out, err = here("produce", strange, **broker.environment)
    assert (code, out) == (1, "")
    *kinds, line = err.splitlines()
    assert line.startswith(
        "wherewithal produce: expected at most 0.5 of the lines refused (--max-refused), found 30 of 30"
    )
    assert line.endswith("; nothing was published")
    assert any(f"30  {strange}:1: invalid: line: expected an object" in kind for kind in kinds)
    assert letters(broker) == 0


def test_produce_tells_what_the_workers_will_refuse(broker: Broker, mixed: tuple[Path, Path]) -> None:
    code, out, err = here("produce", *mixed, **broker.environment)
    assert (code, err) == (0, "")
    published, expected = out.splitlines()[:2]
    assert published == "9 events and 0 erasures published, 1 lines to the dead letters"
    assert expected == "of those published, the workers will refuse 3"
    assert f"2  {mixed[0]}:2: invalid: price" in out
    assert letters(broker) == 1


def test_produce_publishes_what_is_refused_if_all_of_it_may_be(broker: Broker, tmp_path: Path) -> None:
    strange = write_lines(tmp_path / "strange.log", ["no"] * 3)
    code, out, _ = here("produce", strange, "--max-refused", "1", "--json", **broker.environment)
    assert code == 0
    account = json.loads(out)
    assert (account["events"], account["dead_letters"]) == (3, 3)
    assert [(kind["count"], kind["first"]["line"]) for kind in account["refused"]] == [(3, 1)]
    assert letters(broker) == 3


def test_files_without_an_event_are_not_read_in_silence(broker: Broker, tmp_path: Path) -> None:
    page = write_lines(tmp_path / "pages.ndjson", [{"type": "page", "userId": "u"}])
    for command in ("replay", "produce"):
        code, out, err = here(command, page, **broker.environment)
        assert (code, err.count("\n")) == (0, 1)
        assert err.startswith(f"wherewithal {command}: expected events, found none")
        assert "1 lines were left out" in out
