"""What is published of capacity: the record of the contract, its row, and what little evidence leaves out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from support.artefacts import capacity_artefact, fitted_artefact
from support.encoders import HashEncoder
from support.group import Unwatched

from features.observation import Kind, Observation, Source, event_key
from features.online.rows import CapacityRow, Forget, OnlineRow
from features.users.catalogue import NAMES
from features.users.row import profiles, scalars, tastes
from features.users.state import UserState
from streams.contract import CAPACITY, SCORES
from streams.inference.active_capacity import Estimating
from streams.inference.loading import Inference, load_inference
from streams.records.score_record import newer
from streams.settings import load_settings
from streams.telemetry.metrics import Metrics
from streams.worker.publishing.emission import Emission, Subject
from streams.worker.users.emitter import Emitter

BASE = 1_764_000_000_000
LEAST = 2


def shopper(purchases: int) -> UserState:
    state = UserState()
    for number in range(purchases + 1):
        kind = Kind.PURCHASE if number else Kind.VIEW
        key = event_key(str(number))
        seen = Observation(int(kind), int(Source.CLICKS), number, BASE + number, key, amount=5_000_000 + number)
        state.apply(seen, "e")
    return state


@pytest.fixture(scope="module")
def inference(tmp_path_factory: pytest.TempPathFactory) -> Inference:
    folder, capacity = tmp_path_factory.mktemp("spend"), tmp_path_factory.mktemp("capacity")
    fitted_artefact().save(folder)
    capacity_artefact(least_evidence=LEAST).save(capacity)
    settings = load_settings(artefact=str(folder), capacity_artefact=str(capacity))
    return load_inference(settings, Metrics(), HashEncoder())


def emit(inference: Inference, *subjects: Subject) -> Emission:
    emitter = Emitter(inference.encoder, inference.scoring, lambda: None, Unwatched(), inference.estimating)
    (emission,) = emitter.emit([subjects])
    return emission


def records(emission: Emission) -> list[Any]:
    return [
        None if record.value is None else orjson.loads(record.value) for record in emission.records.get(CAPACITY, [])
    ]


def test_a_record_is_the_artefacts_word_on_the_features_that_are_served(inference: Inference) -> None:
    state = shopper(LEAST)
    emission = emit(inference, Subject("u", state, 1))
    (record,) = records(emission)
    (score,) = [orjson.loads(record.value) for record in emission.records[SCORES] if record.value]
    assert inference.estimating is not None
    row, vectors = scalars(state, BASE + LEAST), {"profile_vector": profiles([state], inference.encoder)}
    vectors["taste_vector"] = tastes([state], inference.encoder)
    said = inference.estimating.artefact.scorer.predict([row], vectors)
    assert list(record) == [
        *("user_id", "capacity", "band", "evidence", "prediction", "intercept", "reasons"),
        *("life", "revision", "event_time", "emitted_at", "model", "degraded", "not_for"),
    ]
    assert (record["capacity"], record["band"], record["prediction"]) == (
        said.capacity[0],
        said.band[0],
        said.prediction[0],
    )
    assert record["evidence"] == LEAST == row[NAMES.index("lifetime_orders")]
    assert record["prediction"] == pytest.approx(
        record["intercept"] + sum(reason["contribution"] for reason in record["reasons"])
    )
    assert record["not_for"] == ["personal_pricing", "credit", "employment", "housing", "insurance"]
    assert record["model"] == {
        "scorer": inference.estimating.version,
        "encoder": inference.encoder,
        "attribution": "exact",
    }
    same = ("user_id", "life", "revision", "event_time", "emitted_at")
    assert [record[name] for name in same] == [score[name] for name in same]
    assert not record["degraded"]


def test_below_the_least_evidence_nothing_is_said_but_how_little_there_is(inference: Inference) -> None:
    (record,) = records(emission := emit(inference, Subject("u", shopper(LEAST - 1), 1)))
    assert (record["capacity"], record["prediction"], record["band"], record["reasons"]) == (None, None, "unknown", [])
    assert record["evidence"] == LEAST - 1
    (row,) = emission.rows
    assert isinstance(row, OnlineRow)
    assert row.capacity == CapacityRow(
        None, None, "unknown", record["model"]["scorer"], record["model"]["encoder"], LEAST - 1
    )


def test_a_row_says_what_the_record_says(inference: Inference) -> None:
    emission = emit(inference, Subject("u", shopper(3), 1), Subject("v", shopper(4), 1))
    for record, row in zip(records(emission), emission.rows, strict=True):
        assert isinstance(row, OnlineRow)
        assert row.user_id == record["user_id"]
        assert row.capacity == CapacityRow(
            record["capacity"],
            record["prediction"],
            record["band"],
            *list(record["model"].values())[:2],
            record["evidence"],
        )


def test_an_erased_user_and_one_who_is_reset_have_a_tombstone_first(inference: Inference) -> None:
    gone, back, reset = UserState(), shopper(3), shopper(3)
    emission = emit(
        inference,
        Subject("gone", gone, 1, erased=True),
        Subject("back", back, 1, erased=True),
        Subject("reset", reset, 1, reset=True),
    )
    keys = [(record.key, record.value is None) for record in emission.records.get(CAPACITY, [])]
    assert keys == [(b"gone", True), (b"back", True), (b"reset", True), (b"back", False), (b"reset", False)]
    assert keys == [(record.key, record.value is None) for record in emission.records[SCORES]]
    assert [type(row) for row in emission.rows] == [Forget, Forget, OnlineRow, OnlineRow]


def test_without_an_artefact_nothing_is_published_but_that_a_user_is_gone(inference: Inference) -> None:
    off = replace(inference, estimating=None)
    emission = emit(off, Subject("u", shopper(3), 1, reset=True), Subject("gone", UserState(), 1, erased=True))
    assert [(record.key, record.value) for record in emission.records.get(CAPACITY, [])] == [(b"gone", None)]
    assert [row.capacity for row in emission.rows if isinstance(row, OnlineRow)] == [None]


def test_an_artefact_for_another_encoder_estimates_from_behaviour_alone_and_says_so(inference: Inference) -> None:
    artefact = replace(capacity_artefact(), encoder_identity="another@0123456789ab")
    other = Estimating.of(artefact.serving(NAMES, None), inference.encoder, False)
    (record,) = records(emit(replace(inference, estimating=other), Subject("u", shopper(3), 1)))
    assert record["degraded"]
    assert all(reason["contribution"] == 0 for reason in record["reasons"] if reason["feature"].endswith("_vector"))


def test_while_the_encoder_is_down_records_say_so(inference: Inference) -> None:
    emitter = Emitter(inference.encoder, inference.scoring, lambda: None, Unwatched(), inference.estimating)
    emitter.encoder_down = True
    (emission,) = emitter.emit([[Subject("u", shopper(3), 1)]])
    assert [record["degraded"] for record in records(emission)] == [True]


def test_a_consumer_orders_records_as_those_of_scores(inference: Inference) -> None:
    before, after = (records(emit(inference, Subject("u", shopper(count), 1)))[0] for count in (3, 4))
    assert newer(after, before)
    assert newer(before | {"life": 1}, after)
