"""Lines are judged before they are let through, and until too many are refused."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from streams.exceptions import RefusedInputError
from streams.operating.admission import FIRST_LINES, Admission
from streams.records.decoder import Decoder
from streams.records.ndjson import parse_line
from streams.sources.arrived import Arrived

GOOD = {"event_id": "1", "user_id": "u", "item_id": "i", "action": "view", "timestamp": 1_760_000_000_000}


def arrive(values: list[object]) -> Iterator[Arrived]:
    """Read the values of clicks; one that is no object makes a line that is none."""
    for number, value in enumerate(values, 1):
        line = {"topic": "clicks", "value": value} if isinstance(value, dict) else value
        yield Arrived("events.ndjson", number, parse_line(json.dumps(line).encode()))


def admission(share: float = 0.5) -> Admission:
    return Admission(Decoder(), share)


def test_an_input_of_another_kind_lets_nothing_through() -> None:
    judged = admission()
    with pytest.raises(RefusedInputError, match="found 3 of 3"):
        judged.admit(arrive(["topic,event_id,user_id", "clicks,1,u", "clicks,2,u"]))
    (kind,) = judged.refusals
    assert (kind.reason, kind.count, str(judged.places.place(kind.first))) == ("invalid", 3, "events.ndjson:1")


def test_a_record_is_judged_as_the_workers_will() -> None:
    judged = admission(1)
    values = [GOOD, GOOD | {"price": -1}, GOOD | {"currency": "EUR"}, GOOD | {"timestamp": 250_000_000_000_000}, "no"]
    assert [arrived.line for arrived in judged.admit(arrive(values))] == [1, 2, 3, 4, 5]
    assert sorted(kind.reason for kind in judged.refusals) == ["future", "invalid", "invalid", "invalid"]


def test_a_sound_start_does_not_vouch_for_the_rest() -> None:
    judged = admission(0.2)
    passed: list[Arrived] = []
    coming = judged.admit(arrive([*[GOOD] * FIRST_LINES, *["no"] * FIRST_LINES]))
    with pytest.raises(RefusedInputError):
        passed.extend(coming)
    assert len(passed) == FIRST_LINES + FIRST_LINES // 4
    assert judged.read == len(passed) + 1


def test_a_bad_start_within_the_first_lines_is_outweighed_by_what_follows_in_them() -> None:
    values = [*["no"] * 100, *[GOOD] * 200]
    assert len(list(admission().admit(arrive(values)))) == 300


def test_all_of_it_may_be_refused_if_that_is_allowed() -> None:
    assert len(list(admission(1).admit(arrive(["no"] * (FIRST_LINES + 10))))) == FIRST_LINES + 10


def test_large_lines_are_not_gathered_and_are_judged_once_the_input_ends() -> None:
    judged = admission()
    coming = judged.admit(arrive(["x" * (5 << 20), "x", GOOD]))
    assert next(coming).line == 1, "let through before the next is read"
    assert judged.read == 1
    with pytest.raises(RefusedInputError, match="found 2 of 3"):
        list(coming)
