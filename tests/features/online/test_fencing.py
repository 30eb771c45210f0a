"""Which of two writes stays: the fence of a row decides, whatever the order and the batches."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import online_rows
from support.online_backends import Backend, sqlite_backend

from features.exceptions import OnlineRowError
from features.online import ITEMS, USERS, DeleteResult, OnlineStore, WriteResult
from features.online.rows import newest_per_key
from features.online.views import Serving

NO_FENCE_LIMIT = 2**53 - 1
# The store outlives the examples of a property, and ids that the engine draws repeat.
NUMBERS = count()


@pytest.fixture(params=[USERS, ITEMS], ids=["users", "items"])
def serving(request: pytest.FixtureRequest) -> Serving[Any]:
    return request.param


def test_a_first_row_lands_in_every_view(backend: Backend, store: OnlineStore, make_row: Any) -> None:
    assert store.write([make_row("u1", 7)]) == WriteResult(written=1, fenced=0)
    assert backend.revision("u1") == 7
    assert store.has("u1")
    assert not store.has("u2")


@pytest.mark.parametrize("older", [(4, 9, 9), (5, 4, 9), (5, 5, 4), (5, 5, 5), (0, 0, 0)])
def test_a_row_that_is_not_newer_does_not_land(
    backend: Backend, store: OnlineStore, make_row: Any, older: tuple[int, int, int]
) -> None:
    store.write([make_row("u1", 7, fence=(5, 5, 5))])
    assert store.write([make_row("u1", 8, fence=older)]) == WriteResult(written=0, fenced=1)
    assert backend.revision("u1") == 7


@pytest.mark.parametrize("newer", [(6, 0, 0), (5, 6, 0), (5, 5, 6), (5, 5, 10), (10, 0, 0)])
def test_a_newer_row_lands_even_with_a_smaller_revision(
    backend: Backend, store: OnlineStore, make_row: Any, newer: tuple[int, int, int]
) -> None:
    store.write([make_row("u1", 7, fence=(5, 5, 5))])
    assert store.write([make_row("u1", 2, fence=newer)]) == WriteResult(written=1, fenced=0)
    assert backend.revision("u1") == 2


def test_fences_are_compared_exactly_up_to_their_limit(backend: Backend, store: OnlineStore, make_row: Any) -> None:
    top = NO_FENCE_LIMIT
    assert store.write([make_row("u1", 1, fence=(top, top, top - 1))]).written == 1
    assert store.write([make_row("u1", 2, fence=(top, top, top))]).written == 1
    assert store.write([make_row("u1", 3, fence=(top, top - 1, top))]).fenced == 1
    assert backend.revision("u1") == 2


def test_the_greatest_fence_of_a_user_within_a_batch_wins_wherever_it_stands(
    backend: Backend, store: OnlineStore, make_row: Any
) -> None:
    rows = [make_row("u1", 2), make_row("u2", 1), make_row("u1", 5), make_row("u1", 3)]
    assert store.write(rows) == WriteResult(written=2, fenced=2)
    assert backend.revision("u1") == 5
    assert backend.revision("u2") == 1


def test_a_batch_is_fenced_user_by_user(backend: Backend, store: OnlineStore, make_row: Any) -> None:
    users = [f"user-{number}" for number in range(600)]
    store.write([make_row(user, 5) for user in users[::2]])
    assert store.write([make_row(user, 3) for user in users]) == WriteResult(written=300, fenced=300)
    assert [backend.revision(user) for user in users[:20]] == [5, 3] * 10
    assert [backend.revision(user) for user in users[-20:]] == [5, 3] * 10


def test_an_empty_batch_writes_nothing(store: OnlineStore) -> None:
    assert store.write([]) == WriteResult(written=0, fenced=0)
    assert store.delete({}) == DeleteResult(deleted=0, fenced=0)


def test_of_two_racing_writers_the_newest_row_stays(backend: Backend, make_row: Any) -> None:
    backend.open().close()

    def write(revisions: range) -> int:
        with closing(backend.open()) as own:
            return sum(own.write([make_row("u1", revision)]).written for revision in revisions)

    with ThreadPoolExecutor(2) as pool:
        written = list(pool.map(write, [range(1, 40, 2), range(2, 41, 2)]))
    assert backend.revision("u1") == 40
    assert 20 <= sum(written) <= 40


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, unique_by=lambda s: s[0]))
def test_any_order_and_batching_of_writes_and_erasures_ends_in_the_newest(
    store: OnlineStore, backend: Backend, make_row: Any, steps: list[tuple[int, bool]]
) -> None:
    user = f"any-{next(NUMBERS)}"
    for sequence, erased in steps:
        if erased:
            store.delete({user: (1, sequence, 0)})
        else:
            store.write([make_row(user, sequence, fence=(1, sequence, 0))])
    newest, erased = max(steps)
    assert backend.revision(user) == (None if erased else newest)
    assert store.has(user) is not erased


@pytest.mark.parametrize(
    "changes",
    [{"scalars": (1, 2)}, {"fence": (1, -1, 0)}, {"fence": (1, 2**53, 0)}, {"fence": (1, 1)}],
)
def test_a_row_of_another_shape_is_refused(make_row: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(OnlineRowError, match="expected"):
        make_row("u1", 1, **changes)


def test_a_vector_of_another_width_is_refused() -> None:
    with pytest.raises(OnlineRowError, match="expected a profile vector of 256 bytes, found 252"):
        online_rows.make_row(profile=b"\0" * 252)
    with pytest.raises(OnlineRowError, match="expected a title vector of 256 bytes, found 252"):
        online_rows.make_item_row(title_vector=b"\0" * 252)


def test_a_refused_value_leaves_the_whole_sqlite_batch_out(
    tmp_path: Path, make_row: Any, serving: Serving[Any]
) -> None:
    backend = sqlite_backend(tmp_path / "online.db", serving)
    with closing(backend.open()) as store:
        with pytest.raises(OnlineRowError, match="64-bit"):
            store.write([make_row("u1", 1), make_row("u2", 1, event_time=2**63)])
        assert not store.has("u1")
        assert store.write([make_row("u1", 1)]).written == 1


@given(fences=st.lists(st.tuples(*[st.integers(0, 3)] * 3), max_size=8))
def test_the_newest_row_of_a_key_is_that_of_the_greatest_fence(fences: list[Any]) -> None:
    rows = [online_rows.make_row("u1", 1, fence=fence) for fence in fences]
    assert [row.fence for row in newest_per_key(rows)] == ([max(fences)] if fences else [])
