"""A record is led back to its line, wherever the broker put it."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from streams.broker.publisher import Written
from streams.operating.origins import Origins, packed, unpacked

positions = st.tuples(st.integers(0, (1 << 24) - 1), st.integers(1, (1 << 40) - 1))


@given(positions)
def test_a_position_survives_its_packing(position: tuple[int, int]) -> None:
    assert unpacked(packed(position)) == position
    assert array("Q", [packed(position)])


@given(st.lists(st.tuples(st.integers(0, 3), st.lists(positions, min_size=1, max_size=4)), max_size=8))
def test_each_offset_gives_its_line_and_gaps_give_none(chunks: list[tuple[int, list[tuple[int, int]]]]) -> None:
    origins = Origins()
    expected: dict[int, tuple[int, int]] = {}
    end = 0
    for gap, lines in chunks:
        first = end + gap
        end = first + len(lines)
        origins.note("clicks", 1, Written(first, end - 1, len(lines)), array("Q", map(packed, lines)))
        expected.update(zip(range(first, end), lines, strict=True))
    for offset in range(-1, end + 2):
        assert origins.position("clicks", 1, offset) == expected.get(offset)
    assert origins.position("clicks", 0, 0) is None


def test_records_with_others_among_them_are_not_guessed() -> None:
    origins = Origins()
    origins.note("clicks", 0, Written(0, 5, 2), array("Q", [packed((0, 1)), packed((0, 2))]))
    assert origins.position("clicks", 0, 0) is None


def test_rejected_lines_come_in_the_order_of_their_letters() -> None:
    origins = Origins()
    for position in [(0, 4), (1, 2), (1, 6)]:
        origins.note_rejected(2, position)
    assert list(origins.rejected(2)) == [(0, 4), (1, 2), (1, 6)]
    assert list(origins.rejected(0)) == []
