"""The options that say how files are read."""

from __future__ import annotations

import argparse
from zoneinfo import ZoneInfo

import pytest

from streams.cli.common.sources import add_source_arguments, source_options
from streams.sources.options import AS_THEY_ARE, SourceOptions


def read(*words: str) -> SourceOptions:
    parser = argparse.ArgumentParser()
    parser.set_defaults(files=[])
    add_source_arguments(parser)
    return source_options(parser.parse_args(words))


def test_without_options_files_are_read_as_they_are() -> None:
    assert read() == AS_THEY_ARE


def test_pairs_stand_behind_one_option_or_several() -> None:
    options = read("--map", "user_id=Customer,item_id=SKU, or so", "--map", "price=a=b", "--set", "action=purchase")
    assert options.columns == {"user_id": "Customer", "item_id": "SKU, or so", "price": "a=b"}
    assert options.constants == {"action": "purchase"}


def test_each_line_tells_its_shape_unless_one_is_named() -> None:
    row = b'{"event_name": "scroll", "event_timestamp": "1763630460000000"}'
    assert {word: len(read("--format", word).shape(row)) for word in ("own", "segment", "ga4")} == {
        "own": 1,
        "segment": 1,
        "ga4": 0,
    }
    assert read().shape(row) == ()


def test_the_rest_is_taken_as_it_is() -> None:
    options = read("--bare", "--timezone", "Europe/Berlin", "--decimal-comma", "--integer-ids", "--encoding", "CP1252")
    assert options == SourceOptions(
        bare=True, timezone=ZoneInfo("Europe/Berlin"), decimal_comma=True, integer_ids=True, encoding="cp1252"
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--map", "customer"], "expected FIELD=COLUMN, such as user_id=customer"),
        (["--map", "user_id="], "expected FIELD=COLUMN"),
        (["--map", "user=customer"], "expected a field of events"),
        (["--map", "user_id=a,user_id=b"], "`user_id` twice"),
        (["--set", "=x"], "expected FIELD=VALUE"),
        (["--map", "user_id=a", "--set", "user_id=b"], "`user_id` twice"),
        (["--timezone", "Mars/Olympus"], "expected a zone such as"),
        (["--timezone", "../../etc/passwd"], "expected a zone such as"),
        (["--timezone", "Europe"], "expected a zone such as"),
        (["--encoding", "klingon"], "expected an encoding such as"),
        (["--encoding", "rot13"], "expected an encoding such as"),
        (["--encoding", "hex"], "expected an encoding such as"),
        (["--encoding", "a\0b"], "expected an encoding such as"),
    ],
)
def test_what_makes_no_sense_is_named(words: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises((SystemExit, ValueError)) as caught:
        read(*words)
    assert expected in capsys.readouterr().err + str(caught.value)
