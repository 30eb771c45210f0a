"""One artefact for each emission: records, rows and watchers agree on which."""

from __future__ import annotations

import orjson
import pytest
from support.artefacts import fitted_artefact
from support.encoders import HashEncoder
from support.group import Unwatched

from features.observation import Kind, Observation, Source, event_key
from features.online.rows import OnlineRow
from features.users.state import UserState
from streams.contract import SCORES
from streams.inference.active_scorer import Served
from streams.inference.loading import Inference, load_inference
from streams.settings import load_settings
from streams.telemetry.metrics import Metrics
from streams.worker.publishing.emission import Emission, Subject
from streams.worker.users.emitter import Emitter


@pytest.fixture
def inference(tmp_path) -> Inference:
    fitted_artefact().save(tmp_path)
    return load_inference(load_settings(artefact=str(tmp_path)), Metrics(), HashEncoder())


def living() -> UserState:
    state = UserState()
    kind, source, key = int(Kind.PURCHASE), int(Source.CLICKS), event_key("1")
    seen = Observation(kind, source, 1, 1_764_000_000_000, key, amount=5_000_000)
    state.apply(seen, "e")
    return state


def published(emission: Emission) -> list[tuple[str, float, float]]:
    """Scorer, prediction and score of each record, which must be those of its row."""
    records = [orjson.loads(record.value) for record in emission.records[SCORES] if record.value]
    rows = [row for row in emission.rows if isinstance(row, OnlineRow)]
    assert [(row.scorer, row.score, row.expected_spend) for row in rows] == [
        (record["model"]["scorer"], record["score"], record["expected_spend"]) for record in records
    ]
    return [(record["model"]["scorer"], record["prediction"], record["intercept"]) for record in records]


def test_an_emission_is_made_by_one_artefact_even_if_another_takes_over_meanwhile(inference: Inference) -> None:
    old, new = inference.scoring, inference.accept(fitted_artefact(intercept=1.0))
    subjects = [Subject(f"u{number}", living(), 1) for number in range(3)]
    served: list[Served] = []

    class Swapping(Unwatched):
        def served(self, batch: Served) -> None:
            served.append(batch)
            emitter.scoring = new

    emitter = Emitter(inference.encoder, inference.scoring, lambda: None, Swapping())
    first, second = (published(emission) for _ in range(2) for emission in emitter.emit([subjects]))
    assert {scorer for scorer, _, _ in first} == {served[0].scoring.version} == {old.version}
    assert {scorer for scorer, _, _ in second} == {served[1].scoring.version} == {new.version}
    for (_, before, at_first), (_, after, then) in zip(first, second, strict=True):
        assert after == pytest.approx(before + 1)
        assert then == pytest.approx(at_first + 1)


def test_watchers_are_told_what_was_served_and_who_was_erased(inference: Inference) -> None:
    told: list[Served] = []
    erased: list[str] = []

    class Noting(Unwatched):
        def served(self, batch: Served) -> None:
            told.append(batch)

        def erased(self, user_id: str) -> None:
            erased.append(user_id)

    emitter = Emitter(inference.encoder, inference.scoring, lambda: None, Noting())
    state = living()
    subjects = [Subject("a", state, 1), Subject("gone", UserState(), 1), Subject("back", living(), 1, erased=True)]
    (emission,) = emitter.emit([subjects])
    (served,) = told
    assert erased == ["gone", "back"]
    assert served.users == ["a", "back"]
    assert served.states[0] is state
    assert served.scoring is emitter.scoring
    by_user = {
        record["user_id"]: record
        for record in map(orjson.loads, filter(None, (r.value for r in emission.records[SCORES])))
    }
    assert [by_user[user]["prediction"] for user in served.users] == served.predicted.prediction.tolist()


def test_an_artefact_that_cannot_predict_is_not_accepted(inference: Inference, monkeypatch) -> None:
    candidate = fitted_artefact(intercept=1.0)
    monkeypatch.setattr(type(candidate.scorer), "predict", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        inference.accept(candidate)
