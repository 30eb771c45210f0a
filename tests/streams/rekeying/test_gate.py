"""The gate of a source: what is held back, what passes, and what ends the process."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.exceptions import RefusedInputError
from streams.records.rejection import Reason, Rejection
from streams.rekeying.gate import FEWEST, FIRST_BYTES, FIRST_RECORDS, Gate

WRONG = Rejection(Reason.INVALID, "line: expected this, found that")


def feed(gate: Gate, sound: int, refused: int, size: int = 10) -> None:
    for number in range(sound + refused):
        gate.judge(None if number < sound else WRONG, 0, number, size)


def test_nothing_passes_before_the_first_records_are_judged() -> None:
    gate = Gate("shop", 0.5)
    feed(gate, FIRST_RECORDS - 1, 0)
    assert not gate.opened.is_set()
    feed(gate, 1, 0)
    assert gate.opened.is_set()


def test_few_large_records_pass_earlier() -> None:
    gate = Gate("shop", 0.5)
    feed(gate, 2, 0, FIRST_BYTES // 2)
    assert gate.opened.is_set()


def test_the_line_names_topic_share_reasons_and_places() -> None:
    gate = Gate("shop", 0.5)
    with pytest.raises(RefusedInputError) as refused:
        feed(gate, 400, 600)
    said = str(refused.value)
    assert said.startswith("expected at most 0.5 of the records of 'shop' refused (WHEREWITHAL_REKEY_MAX_REFUSED)")
    assert "found 600 of the first 1,000: 600 x invalid: line: expected this" in said
    assert "(the first at partition 0, offset 400)" in said
    assert not gate.opened.is_set()


def test_records_of_a_quiet_topic_pass_once_they_have_waited_unless_most_are_refused() -> None:
    few, enough, sound = Gate("a", 0.5), Gate("b", 0.5), Gate("c", 0.5)
    feed(few, 0, FEWEST - 1)
    few.expire()
    assert few.opened.is_set()
    feed(enough, 0, FEWEST)
    with pytest.raises(RefusedInputError):
        enough.expire()
    feed(sound, FEWEST, FEWEST)
    sound.expire()
    assert sound.opened.is_set()


def test_a_later_stretch_ends_it_as_soon_as_it_is_lost() -> None:
    gate = Gate("shop", 0.5)
    feed(gate, FIRST_RECORDS, 0)
    feed(gate, 300, 500)
    with pytest.raises(RefusedInputError, match="found 501 of the latest 801"):
        feed(gate, 0, 1)


def test_an_accident_now_and_then_is_none() -> None:
    gate = Gate("shop", 0.1)
    for _ in range(50):
        feed(gate, 90, 10)
    assert gate.opened.is_set()


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=3 * FIRST_RECORDS))
def test_any_share_may_pass(refused: list[bool]) -> None:
    gate = Gate("shop", 1.0)
    for offset, one in enumerate(refused):
        gate.judge(WRONG if one else None, 0, offset, 1)
    gate.expire()
    assert gate.opened.is_set()
