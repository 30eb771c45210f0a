from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from models.batching.batch_forming import batch_cost, form_batch


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


@given(st.lists(st.integers(1, 300), min_size=1, max_size=80), st.integers(1, 1200))
def test_a_packed_batch_is_limited_by_its_tokens_alone(lengths: list[int], budget: int) -> None:
    batch = form_batch(lengths, budget, packed=True)
    chosen = [lengths[index] for index in batch]
    assert 0 in batch
    assert len(set(batch)) == len(batch)
    assert chosen == sorted(chosen)
    assert len(batch) == 1 or sum(chosen) <= budget
    # Nor would the next shorter or the next longer one still fit.
    left = sorted(set(range(len(lengths))) - set(batch), key=lengths.__getitem__)
    shorter = [lengths[index] for index in left if lengths[index] <= chosen[0]][-1:]
    longer = [lengths[index] for index in left if lengths[index] >= chosen[-1]][:1]
    assert all(sum(chosen) + length > budget for length in shorter + longer)


def test_a_packed_batch_takes_texts_of_any_lengths_that_a_padded_one_would_split() -> None:
    lengths = [200, 5, 5, 60, 5]
    assert sorted(form_batch(lengths, 1000, packed=True)) == [0, 1, 2, 3, 4]
    assert form_batch(lengths, 1000) == [0]


def test_a_packed_batch_prefers_the_lengths_nearest_to_the_oldest_text() -> None:
    lengths = [10, 40, 11, 9, 30, 10]
    assert [lengths[index] for index in form_batch(lengths, 40, packed=True)] == [9, 10, 10, 11]
    assert [lengths[index] for index in form_batch(lengths, 110, packed=True)] == [9, 10, 10, 11, 30, 40]


def test_a_pass_costs_its_tokens_and_its_padding_where_the_encoder_pads() -> None:
    assert batch_cost([3, 5, 9], packed=True) == 17
    assert batch_cost([3, 5, 9], packed=False) == 27
