"""What a flow must have made of its input: the brute-force reference, and what the logs must hold for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import orjson
import pytest

from features.users.catalogue import NAMES, PROFILE_WIDTH
from features.users.codec import decode, order
from features.users.row import scalars
from models.artefact.artefact import Artefact
from models.artefact.capacity import CapacityArtefact
from models.profile import Projection
from streams.broker.reading import read_topic
from streams.contract import CAPACITY, SCORES, changelog_name, topic_name
from streams.inference.loading import artefact_folder
from streams.records.score_record import newer
from streams.settings import Settings
from streams.worker.stage_spec import specs_of
from support import reference
from support.encoders import HashEncoder
from support.shoppers import raw_events

EXACT = (*NAMES, "event_time", "revision")
VECTORS = ("profile_vector", "taste_vector")
SAME_SCORE = ("prediction", "score", "expected_spend")

Lines = Sequence[dict[str, Any]]

Order = Callable[[bytes], tuple[int, int]]
"""(epoch, sequence) of an encoded state."""


class Published(Protocol):
    """What was read back of a drained flow, by user."""

    @property
    def features(self) -> Mapping[str, Mapping[str, Any]]: ...

    @property
    def scores(self) -> Mapping[str, Mapping[str, Any]]: ...


def wanted_features(lines: Lines, as_of: int | None = None) -> dict[str, dict[str, Any]]:
    """The reference's features of every user."""
    events = raw_events(list(lines), Projection.orthogonal(HashEncoder.dimension))
    return {user: reference.features(mine, as_of) for user, mine in events.items()}


def assert_reference(run: Published, lines: Lines, as_of: int | None = None) -> None:
    """Every feature of every user is what brute force computes from the raw events."""
    expected = wanted_features(lines, as_of)
    assert run.features.keys() == expected.keys()
    for user, wanted in expected.items():
        served = run.features[user]
        assert not (wrong := _differences(served, wanted)), f"{user}: (served, wanted) {wrong}"
        for name in VECTORS:
            np.testing.assert_allclose(served[name], wanted[name], atol=1e-5)


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: (one[name], other[name]) for name in EXACT if one[name] != other[name]}


def assert_same(one: Published, other: Published) -> None:
    """Two runs are equal in the contract's sense."""
    assert one.features.keys() == other.features.keys()
    assert one.scores.keys() == other.scores.keys()
    for user, served in one.features.items():
        again = other.features[user]
        assert not (differing := _differences(served, again)), f"{user}: {differing}"
        for name in VECTORS:
            np.testing.assert_allclose(served[name], again[name], atol=1e-5)
        for name in SAME_SCORE:
            assert one.scores[user][name] == pytest.approx(other.scores[user][name], rel=1e-4)
        assert one.scores[user]["revision"] == other.scores[user]["revision"]


def assert_scores(settings: Settings, scores: Mapping[str, Mapping[str, Any]], lines: Lines) -> None:
    """Every last score is the scorer's word on the reference's features (behaviour alone: no artefact fits)."""
    expected = wanted_features(lines)
    assert scores.keys() == expected.keys()
    users = sorted(expected)
    rows = [tuple(expected[user][name] for name in NAMES) for user in users]
    artefact = Artefact.load(artefact_folder(settings)).serving(NAMES, None, PROFILE_WIDTH)
    predicted = artefact.scorer.predict(rows, None, use_profile=False)
    for position, user in enumerate(users):
        assert scores[user]["revision"] == expected[user]["revision"]
        assert scores[user]["event_time"] == expected[user]["event_time"]
        for name in SAME_SCORE:
            assert scores[user][name] == pytest.approx(getattr(predicted, name)[position], rel=1e-4)


async def assert_capacity(settings: Settings, lines: Lines) -> None:
    """Every last record of capacity is the artefact's word on the reference's features, and the newest of its user."""
    expected = wanted_features(lines)
    _, last, newest = await _record_log(settings, CAPACITY)
    assert last == newest
    assert {user.decode() for user in last} == expected.keys()
    users = sorted(expected)
    rows = [tuple(expected[user][name] for name in NAMES) for user in users]
    vectors = {name: np.array([expected[user][name] for user in users], np.float32) for name in VECTORS}
    artefact = CapacityArtefact.load(Path(settings.capacity_artefact)).serving(NAMES, None)
    said = artefact.scorer.predict(rows, vectors)
    for position, user in enumerate(users):
        record, wanted = last[user.encode()], expected[user]
        assert (record["revision"], record["event_time"]) == (wanted["revision"], wanted["event_time"])
        assert (record["evidence"], record["band"]) == (said.evidence[position], said.band[position]), user
        if said.capacity[position] is None:
            assert (record["capacity"], record["prediction"]) == (None, None)
        else:
            # A share of the reference moves by whole users, where the last digit of a vector decides.
            assert record["capacity"] == pytest.approx(said.capacity[position], abs=0.3)
            assert record["prediction"] == pytest.approx(said.prediction[position], rel=1e-4, abs=1e-6)
        found = {reason["feature"]: reason["contribution"] for reason in record["reasons"]}
        assert found == pytest.approx(dict(said.reasons(position)), rel=1e-4, abs=1e-6)


async def assert_score_log(settings: Settings) -> int:
    """The last record of a user, which compaction would keep, is also the newest; return the records read."""
    count, last, newest = await _record_log(settings, SCORES)
    assert last == newest
    return count


async def superseded(settings: Settings) -> list[bytes]:
    """Users and items whose last record or state is not the newest: their owner has yet to write them again."""
    found = []
    for stage in specs_of(settings):
        for topic in stage.outputs(settings):
            _, last, newest = await _record_log(settings, topic)
            found += [key for key, record in newest.items() if last[key] != record]
        _, last_state, greatest = await _state_log(settings, stage.changelog(settings), stage.entity.order)
        found += [key for key, order in greatest.items() if stage.entity.order(last_state[key]) != order]
    return found


async def _record_log(settings: Settings, topic: str) -> tuple[int, dict[bytes, Any], dict[bytes, Any]]:
    """Return how many records there are, and the last and the newest of each user."""
    newest: dict[bytes, dict[str, Any]] = {}
    last: dict[bytes, dict[str, Any]] = {}
    count = 0
    async for records in read_topic(settings, topic_name(settings, topic)):
        for record in records:
            count += 1
            if record.value is None:
                newest.pop(record.key, None)
                last.pop(record.key, None)
                continue
            score = last[record.key] = orjson.loads(record.value)
            if record.key not in newest or newer(score, newest[record.key]):
                newest[record.key] = score
    return count, last, newest


async def newest_states(settings: Settings, changelog: str, order: Order) -> tuple[int, dict[bytes, bytes]]:
    """The records read of a changelog, and the last state of each key, which has the highest order of all of its."""
    count, last, greatest = await _state_log(settings, changelog, order)
    assert {key: order(value) for key, value in last.items()} == greatest
    return count, last


async def _state_log(
    settings: Settings, changelog: str, order: Order
) -> tuple[int, dict[bytes, bytes], dict[bytes, tuple[int, int]]]:
    """Return how many states there are, and the last and the highest order of each key."""
    last, greatest = dict[bytes, bytes](), dict[bytes, tuple[int, int]]()
    count = 0
    async for records in read_topic(settings, changelog):
        for record in records:
            if record.value is None:
                continue
            count += 1
            last[record.key] = record.value
            greatest[record.key] = max(order(record.value), greatest.get(record.key, (-1, -1)))
    return count, last, greatest


async def assert_changelog(settings: Settings, lines: Lines) -> int:
    """The last state of a user in the changelog has the highest order and the reference's features.

    Returns the records read.
    """
    expected = wanted_features(lines)
    count, last = await newest_states(settings, changelog_name(settings), order)
    assert {key.decode() for key in last} == expected.keys()
    for key, value in last.items():
        state, wanted = decode(value), expected[key.decode()]
        assert state.revision == wanted["revision"]
        row = dict(zip(NAMES, scalars(state, state.instant(None)), strict=True))
        assert row == {name: wanted[name] for name in NAMES}
    return count
