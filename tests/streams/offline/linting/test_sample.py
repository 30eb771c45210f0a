"""A bounded memory of keys tells all of them apart while they are few, and a fair share of them beyond."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.offline.linting.sample import Sample, key_of


@given(st.lists(st.integers(0, 30), max_size=60))
def test_few_keys_are_all_remembered_with_their_first_number(names: list[int]) -> None:
    sample, first = Sample(), dict[int, int]()
    for number, name in enumerate(names):
        assert sample.known(key_of(str(name)), number) == first.get(name)
        first.setdefault(name, number)
    assert len(sample) == len(first)
    assert sample.scale == 1


def test_many_keys_take_no_more_memory_and_are_estimated() -> None:
    sample = Sample(most=1000)
    for turn in range(2):
        known = [sample.known(key_of("user", str(name)), 7) for name in range(20_000)]
        if turn:
            seen = sum(number == 7 for number in known)
            assert seen * sample.scale == len(sample)
    assert sample.scale == 32
    assert 18_000 < len(sample) < 22_000


def test_texts_are_kept_apart_in_a_key() -> None:
    assert key_of("ab", "c") != key_of("a", "bc")
    assert key_of("ab", "c") == key_of("ab", "c")
