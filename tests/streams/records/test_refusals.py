"""Refusals counted by kind, whatever comes in whatever order."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.exceptions import RefusedInputError
from streams.records.refusals import FURTHER, MAX_KINDS, Refusals, check_share

refused = st.tuples(
    st.sampled_from(["invalid", "malformed"]),
    st.sampled_from(["price: found text", "character 1", "character 22", "quantity: found none"]),
    st.none() | st.tuples(st.integers(0, 3), st.integers(1, 9)),
)


def counted(found: list[tuple[str, str, tuple[int, int] | None]]) -> Refusals:
    refusals = Refusals()
    for reason, detail, position in found:
        refusals.add(reason, detail, position)
    return refusals


@given(st.integers(0, 1000), st.integers(1, 1000))
def test_a_share_written_as_a_quotient_is_met_exactly(count: int, read: int) -> None:
    refusals = counted([("invalid", "no", None)] * count)
    check_share(refusals, read, count / read)


@given(st.lists(refused))
def test_each_refusal_counts_once_and_each_kind_knows_its_first_and_last(
    found: list[tuple[str, str, tuple[int, int] | None]],
) -> None:
    refusals = counted(found)
    kinds = list(refusals)
    assert refusals.total == sum(kind.count for kind in kinds) == len(found)
    assert len(refusals) == len(kinds)
    assert [kind.count for kind in kinds] == sorted((kind.count for kind in kinds), reverse=True)
    for kind in kinds:
        of_kind = [
            position
            for reason, detail, position in found
            if reason == kind.reason and detail.startswith(kind.detail.rstrip("0123456789"))
        ]
        known = [position for position in of_kind if position is not None]
        assert kind.count == len(of_kind)
        assert (kind.first, kind.last) == ((min(known), max(known)) if known else (None, None))


@given(st.lists(refused.filter(lambda one: one[2] is not None), max_size=8, unique_by=lambda one: one[2]))
def test_the_order_in_which_they_are_counted_does_not_matter(
    found: list[tuple[str, str, tuple[int, int] | None]],
) -> None:
    def told(some: list[tuple[str, str, tuple[int, int] | None]]) -> list[object]:
        return [(kind.reason, kind.count, kind.first, kind.last) for kind in counted(some)]

    assert told(found) == told(found[::-1])


def test_details_that_differ_in_a_position_are_one_kind_and_the_first_is_shown() -> None:
    (kind,) = counted([("malformed", f"found something else at character {n}", (0, n)) for n in range(1, 100)])
    assert (kind.detail, kind.count) == ("found something else at character 1", 99)


def test_ever_new_details_take_no_more_room_and_are_still_counted() -> None:
    words = ("".join(letters) for letters in itertools.product("abcdefghijkl", repeat=3))
    refusals = counted([("invalid", word, None) for word in words])
    assert refusals.total == 12**3
    assert len(refusals) == MAX_KINDS + 1
    most = next(iter(refusals))
    assert (most.detail, most.count) == (FURTHER, 12**3 - MAX_KINDS)


@pytest.mark.parametrize(
    ("count", "share", "allowed"), [(5, 0.5, True), (6, 0.5, False), (10, 1.0, True), (0, 0, True)]
)
def test_a_share_is_passed_only_by_more_than_it(count: int, share: float, allowed: bool) -> None:
    refusals = counted([("invalid", "no", None)] * count)
    if allowed:
        check_share(refusals, 10, share)
    else:
        with pytest.raises(RefusedInputError, match=r"at most 0.5 of the lines refused .* found 6 of 10"):
            check_share(refusals, 10, share)
