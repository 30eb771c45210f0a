"""Which users a wrong clock has left with a record that no right one outranks."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from features.observation import Kind, Observation, Source
from features.users.state import UserState
from streams.operating.read_back import take_score
from streams.worker.republishing.ahead import Ahead, Limits, Rank, by_partition

NOW = 1_764_000_000_000
LIMITS = Limits(event_time=NOW, emitted_at=NOW)
USERS = (b"a", b"b", b"c")


def record(revision: int = 1, event_time: int = NOW, emitted_at: int = NOW, life: int | None = 0) -> bytes:
    fields = {"revision": revision, "event_time": event_time, "emitted_at": emitted_at, "trigger": None}
    return orjson.dumps(fields if life is None else fields | {"life": life})


def state(newest: int | None = NOW) -> UserState:
    made = UserState()
    if newest is not None:
        made.apply(Observation(Kind.VIEW, Source.CLICKS, 1, newest, b"12345678"), "")
    return made


def test_who_is_ahead_in_any_topic_is_found_once_for_a_partition() -> None:
    low, high = Rank(1, NOW, NOW + 1), Rank(1, NOW, NOW + 2)
    found = {
        TopicPartition("scores", 0): {b"a": low, b"b": high, b"c": None},
        TopicPartition("capacity", 0): {b"b": low, b"c": high, b"d": low},
        TopicPartition("capacity", 1): {b"e": low},
    }
    assert by_partition(found) == {0: {b"a": low, b"b": high, b"c": None, b"d": low}, 1: {b"e": low}}
    assert by_partition({}) == {}


def users_of(*log: bytes | None) -> dict[bytes, Rank | None]:
    ahead = Ahead(LIMITS)
    for value in log:
        ahead.add(b"u", value)
    return ahead.keys


WRONG = [record(event_time=NOW + 1), record(emitted_at=NOW + 1), record(2, NOW, NOW + 1, None)]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_record_made_ahead_or_of_an_instant_ahead_stays_until_something_outranks_it(wrong: bytes) -> None:
    assert list(users_of(wrong)) == [b"u"]
    assert list(users_of(record(), wrong, record())) == [b"u"]
    assert users_of(wrong, record(revision=3)) == {}
    assert users_of(wrong, record(life=1)) == {}
    assert users_of(wrong, None, record()) == {}


def test_right_records_and_what_is_no_record_are_nobodys_trouble() -> None:
    assert users_of(record(), None, record(), b"no record", b'{"revision": "1"}') == {}


def test_who_was_reset_and_not_published_again_is_remembered() -> None:
    assert users_of(record(emitted_at=NOW + 1), None) == {b"u": None}


records = st.builds(
    record,
    revision=st.integers(1, 2),
    event_time=st.sampled_from([NOW - 1, NOW, NOW + 1]),
    emitted_at=st.sampled_from([NOW - 1, NOW, NOW + 1]),
    life=st.sampled_from([None, 0, 1]),
)


@given(st.lists(st.tuples(st.sampled_from(USERS), st.one_of(st.none(), records)), max_size=30))
def test_whoever_a_consumer_has_a_record_ahead_of_is_found(log: list[tuple[bytes, bytes | None]]) -> None:
    consumer: dict[str, Any] = {}
    ahead = Ahead(LIMITS)
    for key, value in log:
        take_score(consumer, key, value)
        ahead.add(key, value)
    held = {user.encode() for user, score in consumer.items() if score["event_time"] > NOW or score["emitted_at"] > NOW}
    found = {user for user, rank in ahead.keys.items() if rank is not None}
    assert held <= found
    # A record that came too late to count for the consumer may be taken for one that does: a reset too many.
    assert not {user for user, rank in ahead.keys.items() if rank is None} & consumer.keys()


@pytest.mark.parametrize(
    ("rank", "newest", "wronged"),
    [
        (Rank(1, NOW + 1, NOW), NOW, True),
        (Rank(1, NOW + 1, NOW), NOW + 1, False),
        (Rank(1, NOW + 1, NOW + 1), NOW + 1, True),
        (None, NOW, True),
        (Rank(1, NOW + 1, NOW + 1), None, False),
    ],
    ids=["a clock's instant", "an event's instant", "made ahead", "reset and left", "erased"],
)
def test_an_instant_ahead_that_an_event_explains_is_left_alone(
    rank: Rank | None, newest: int | None, wronged: bool
) -> None:
    assert LIMITS.wronged(state(newest), rank) is wronged


def test_a_running_process_minds_instants_alone() -> None:
    limits = Limits(event_time=NOW, emitted_at=None)
    assert not limits.passed_by(Rank(1, NOW, NOW + 1))
    assert not limits.wronged(state(), Rank(1, NOW, NOW + 1))
    assert limits.wronged(state(), Rank(1, NOW + 1, NOW + 1))
