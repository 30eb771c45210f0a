from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from models.batch_forming import form_batch


@given(st.lists(st.integers(1, 300), min_size=1, max_size=80), st.integers(1, 1200))
def test_a_batch_holds_the_oldest_text_in_order_of_length_within_the_budget(lengths: list[int], budget: int) -> None:
    batch = form_batch(lengths, budget)
    chosen = [lengths[index] for index in batch]
    assert 0 in batch
    assert len(set(batch)) == len(batch)
    assert chosen == sorted(chosen)
    assert len(batch) == 1 or max(chosen) * len(batch) <= budget
    assert max(chosen) * len(batch) - sum(chosen) <= budget / 8


@given(st.integers(1, 20), st.integers(1, 100), st.integers(20, 1200))
def test_a_batch_of_equal_texts_is_as_full_as_the_budget_allows(length: int, count: int, budget: int) -> None:
    assert sorted(form_batch([length] * count, budget)) == list(range(min(count, budget // length)))


def test_the_oldest_text_is_joined_by_those_nearest_to_it_in_length() -> None:
    lengths = [10, 40, 11, 9, 30, 10]
    assert [lengths[index] for index in form_batch(lengths, 50)] == [9, 10, 10, 11]
