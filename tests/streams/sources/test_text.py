"""Lines are the same however a text is cut into blocks, and none is held beyond its bound."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.sources import text
from streams.sources.text import TooLong, json_lines, split_lines


def cut(whole: bytes, at: list[int]) -> list[bytes]:
    places = sorted({min(place, len(whole)) for place in at})
    return [part for part in map(whole.__getitem__, map(slice, [0, *places], [*places, None])) if part]


@given(st.lists(st.binary().filter(lambda line: b"\n" not in line)), st.lists(st.integers(0, 200)))
def test_lines_do_not_depend_on_blocks(lines: list[bytes], at: list[int]) -> None:
    # A block without a line feed would say that carriage returns end lines.
    whole = b"\n" + b"\n".join(line.replace(b"\r", b"") for line in lines)
    expected = whole.split(b"\n")
    assert list(split_lines(cut(whole, at))) == (expected if expected[-1] else expected[:-1])


def test_carriage_returns_end_lines_where_nothing_else_does() -> None:
    assert list(json_lines([b"a\r\rb", b"\rc"])) == [(1, b"a"), (3, b"b"), (4, b"c")]
    assert list(json_lines([b"a\r\nb\r\n"])) == [(1, b"a"), (2, b"b")]


def test_a_line_beyond_the_bound_is_known_by_its_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MAX_LINE_BYTES", 10)
    monkeypatch.setattr(text, "KEPT_BYTES", 3)
    found = list(json_lines([b"0123456789\nabcdef", b"ghi", b"jkl", b"mno\nx\nabcdef", b"ghijk\n", b"01234567890"]))
    assert found == [(1, b"0123456789"), (2, TooLong(b"abc")), (3, b"x"), (4, TooLong(b"abc")), (5, TooLong(b"012"))]
    assert TooLong(b"abc").refused().rejection.reason == "too_large"


def test_of_a_line_beyond_the_bound_little_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MAX_LINE_BYTES", 1 << 20)
    held = 0

    def endless():
        nonlocal held
        for number in range(3000):
            block = bytes(1 << 16)
            held = max(held, number)
            yield block
        yield b"\nend"

    (first, last) = split_lines(endless())
    assert isinstance(first, TooLong)
    assert len(first.head) <= 2 << 20
    assert (held, last) == (2999, b"end")
