"""State that moves to other topics: what is applied of them begins anew, and all the rest stays."""

from __future__ import annotations

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.exceptions import StateFormatError
from features.observation import Kind, Observation, Source
from features.outcome import Outcome
from features.users import codec
from features.users.state import NO_OFFSET, UserState

from .test_recorded_state import HEADER_BYTES, VERSION_1, VERSION_2, VERSION_3, VERSION_4


def seen(offset: int, event: int, source: Source = Source.CLICKS) -> Observation:
    return Observation(Kind.VIEW, source, offset, 1_000_000 + event, event.to_bytes(8, "big"))


def grown(events: int, erasures: int, epoch: int) -> UserState:
    state = UserState()
    for number in range(erasures):
        state.erase(number, 500 + number, Source.ERASURES)
    for number in range(events):
        state.apply(seen(10 + number, number), "e")
    state.epoch = epoch
    return state


@given(st.integers(0, 30), st.integers(0, 3), st.integers(0, 2**53), st.integers(0, 2**53))
def test_a_moved_state_differs_in_its_offsets_and_its_epoch_alone(events, erasures, before, least):
    state = grown(events, erasures, before)
    data = codec.encode(state)
    moved = codec.decode(codec.moved(data, least))
    assert moved.offsets == [NO_OFFSET] * 4
    assert moved.epoch == max(before, least)
    moved.offsets, moved.epoch = state.offsets, state.epoch
    assert codec.encode(moved) == data


@given(st.integers(0, 5), st.integers(0, 2), st.integers(0, 5), st.integers(0, 2), st.integers(0, 2**53))
def test_the_substance_survives_a_move_and_tells_states_apart(events, erasures, others, other_erasures, epoch):
    data, other = codec.encode(grown(events, erasures, 1)), codec.encode(grown(others, other_erasures, 1))
    assert codec.substance(codec.moved(data, epoch)) == codec.substance(data)
    assert (codec.substance(data) == codec.substance(other)) == ((events, erasures) == (others, other_erasures))


def test_events_of_the_other_topics_are_new_and_repeated_ones_are_still_known():
    moved = codec.decode(codec.moved(codec.encode(grown(3, 0, 7)), 9))
    assert moved.apply(seen(0, 99), "e") is Outcome.APPLIED
    assert moved.apply(seen(1, 2), "e") is Outcome.DUPLICATE
    assert moved.revision == 4


def test_an_erased_user_stays_erased():
    state = grown(2, 1, 7)
    state.erase(5_000_000, 600, Source.ERASURES)
    moved = codec.moved(codec.encode(state), 9)
    _, erased_at = codec.offsets_and_erasure(moved)
    assert erased_at == 5_000_000
    assert codec.decode(moved).apply(seen(0, 1), "e") is Outcome.REFUSED


@pytest.mark.parametrize("recorded", [VERSION_1, VERSION_2, VERSION_3], ids=["1", "2", "3"])
def test_states_of_earlier_releases_keep_their_version(recorded):
    data = base64.b64decode(recorded)
    moved = codec.moved(data, 2**53)
    assert moved[0] == data[0]
    before, after = codec.decode(data), codec.decode(moved)
    after.offsets, after.epoch = before.offsets, before.epoch
    assert codec.encode(after) == codec.encode(before)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data[:-3], "damaged bytes"),
        (lambda data: b"", "only 0 bytes"),
        (lambda data: b"\x63" + data[1:], "version 99"),
        (lambda data: data[:HEADER_BYTES] + msgspec.msgpack.encode([1]), "damaged bytes"),
        (lambda data: data[:HEADER_BYTES] + msgspec.msgpack.encode({"a": 1}), "damaged bytes"),
        (lambda data: data[:HEADER_BYTES] + msgspec.msgpack.encode([0] * 40), "at most"),
    ],
    ids=["cut", "empty", "version", "short", "map", "long"],
)
def test_what_is_no_state_does_not_move(damage, said):
    damaged = damage(codec.encode(grown(2, 0, 1)))
    for step in (lambda: codec.moved(damaged, 1), lambda: codec.substance(damaged)):
        with pytest.raises(StateFormatError, match=said):
            step()


def test_a_state_for_which_a_title_waits_does_not_move():
    with pytest.raises(StateFormatError, match="a title waits: let a worker with a working encoder read") as refused:
        codec.moved(base64.b64decode(VERSION_4), 9)
    assert "\n" not in str(refused.value)
    state = codec.decode(base64.b64decode(VERSION_4))
    state.read_title(9, 1_000_000, 1.0, None, "")
    assert codec.decode(codec.moved(codec.encode(state), 9)).orders == state.orders
