"""The verdict on a scorer at work: told in the very batch that shows it, in the log once, and in a gauge."""

from __future__ import annotations

import logging
from dataclasses import replace

import msgspec
import orjson
import pytest
from support.artefacts import drift_reference, fitted_artefact
from support.encoders import HashEncoder
from support.group import Unwatched

from features.observation import Kind, Observation, Source, event_key
from features.users.state import UserState
from models.artefact.origin import Origin
from streams.contract import SCORES
from streams.inference.active_scorer import Scoring, Served
from streams.inference.fit import Fit
from streams.inference.loading import load_inference
from streams.settings import load_settings
from streams.telemetry.metrics import Metrics
from streams.telemetry.tally import Tally
from streams.worker.production import known_categories
from streams.worker.production.known_categories import KnownCategories
from streams.worker.production.served_drift import LEAST_USERS, Drift
from streams.worker.production.served_fit import ServedFit
from streams.worker.publishing.emission import Subject
from streams.worker.users.emitter import Emitter

HATS = Origin(shop="hats", currency="USD", order_values=[10.0, 15.0, 20.0, 30.0, 60.0])


class Watch(Unwatched):
    """Drift and fit of an emitter, as a worker wires them."""

    def __init__(self, folder, origin: Origin | None, least_users: int = LEAST_USERS, **settings: str) -> None:
        artefact = fitted_artefact()
        replace(artefact, origin=origin, drift=drift_reference(artefact)).save(folder)
        inference = load_inference(load_settings(artefact=str(folder), **settings), Metrics(), HashEncoder())
        self.metrics = Metrics()
        self.drift = Drift(self.metrics, least_users=least_users)
        self.fit = ServedFit(self.drift, 1.0, self.metrics)
        self.emitter = Emitter(inference.encoder, inference.scoring, lambda: None, self)
        self.use(inference.scoring)

    def use(self, scoring: Scoring) -> None:
        self.drift.use(scoring)
        self.fit.use(scoring, lambda judged: setattr(self.emitter, "scoring", judged))

    def served(self, served: Served) -> None:
        self.drift.count(served)
        self.fit.served()

    def publish(self, first: int, *orders: float) -> list[dict]:
        """Publish shoppers of one order each, and return the field `model` of their records."""
        subjects = [Subject(f"u{first + number}", _buyer(order), 1) for number, order in enumerate(orders)]
        (emission,) = self.emitter.emit([subjects])
        return [orjson.loads(record.value)["model"] for record in emission.records[SCORES] if record.value]

    def shown(self) -> set[str]:
        found = {
            fit.value: self.metrics.registry.get_sample_value("wherewithal_model_fit_info", {"fit": fit}) for fit in Fit
        }
        return {fit for fit, value in found.items() if value == 1}


def _buyer(order: float) -> UserState:
    state = UserState()
    kind, source, key = int(Kind.PURCHASE), int(Source.CLICKS), event_key("1")
    state.apply(Observation(kind, source, 1, 1_764_000_000_000, key, amount=round(order * 1e6)), "e")
    return state


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "wherewithal")
    return lambda: [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_the_batch_that_shows_another_shop_says_so_itself_and_the_log_says_it_once(tmp_path, said) -> None:
    watch = Watch(tmp_path, HATS)
    assert watch.shown() == {"fitted"}
    assert {(model["fit"], model["currency"]) for model in watch.publish(0, 700.0, 800.0)} == {("fitted", "USD")}
    assert {model["fit"] for model in watch.publish(2, *[900.0] * 20)} == {"foreign"}
    assert {model["fit"] for model in watch.publish(22, 5000.0)} == {"foreign"}
    watch.fit.judge()
    assert watch.shown() == {"foreign"}
    assert said() == ["the scorer does not fit this shop"]


def test_a_shop_like_that_of_the_training_fits_and_one_that_comes_to_be_like_it_fits_again(tmp_path, said) -> None:
    watch = Watch(tmp_path, HATS)
    watch.publish(0, *[900.0] * 12)
    assert watch.shown() == {"foreign"}
    watch.publish(12, *[20.0] * 40)
    watch.fit.judge()
    assert {model["fit"] for model in watch.publish(60, 20.0)} == {"fitted"}
    assert watch.shown() == {"fitted"}
    assert len(said()) == 1


def test_a_new_sample_of_too_few_leaves_the_verdict_as_it_is(tmp_path) -> None:
    watch = Watch(tmp_path, HATS)
    watch.publish(0, *[900.0] * 12)
    watch.drift.begin()
    watch.publish(0, 20.0, 20.0)
    watch.fit.judge()
    assert watch.shown() == {"foreign"}


def test_a_drift_beyond_the_bound_holds_until_a_new_sample_has_an_index_of_its_own(tmp_path, said) -> None:
    watch = Watch(tmp_path, HATS, least_users=20)
    watch.publish(0, *[20.0] * 20)
    watch.drift.publish()
    watch.fit.judge()
    assert watch.shown() == {"foreign"}
    watch.drift.begin()
    assert {model["fit"] for model in watch.publish(0, *[20.0] * 12)} == {"foreign"}
    watch.fit.judge()
    assert watch.shown() == {"foreign"}
    assert len(said()) == 1


@pytest.mark.parametrize(("origin", "fit", "currency"), [(HATS, "foreign", "USD"), (None, "unknown", None)])
def test_no_sample_makes_up_for_another_currency_or_for_what_is_not_known(tmp_path, origin, fit, currency) -> None:
    watch = Watch(tmp_path, origin, currency="EUR")
    for first in (0, 30):
        told = watch.publish(first, *[20.0] * 30)
        assert {(model["fit"], model["currency"]) for model in told} == {(fit, currency)}
    watch.fit.judge()
    assert watch.shown() == {fit}
    assert not watch.fit.changed


def test_a_scorer_that_takes_over_is_judged_anew(tmp_path) -> None:
    watch = Watch(tmp_path, HATS)
    watch.publish(0, *[900.0] * 12)
    dear = msgspec.structs.replace(HATS, order_values=[500.0, 700.0, 900.0, 1000.0, 2000.0])
    inference = load_inference(load_settings(artefact=str(tmp_path)), Metrics(), HashEncoder())
    scoring = inference.accept(replace(fitted_artefact(), origin=dear))
    watch.emitter.scoring = scoring
    watch.use(scoring)
    assert {model["fit"] for model in watch.publish(0, *[900.0] * 12)} == {"fitted"}


def test_few_known_categories_are_said_once_and_their_return_too(caplog, monkeypatch) -> None:
    caplog.set_level(logging.INFO, "wherewithal")
    monkeypatch.setattr(known_categories, "LEAST_EVENTS", 100)
    metrics = Metrics()
    tally = Tally(metrics, keep_latencies=False)
    watch = KnownCategories(tally)
    for named, unlisted in ((99, 99), (1, 0), (100, 60), (100, 50), (100, 10)):
        tally.count_categories(named, unlisted)
        watch.look("v")
    few, most = "few of the shop's categories are known", "most of the shop's categories are known"
    told = [record.getMessage() for record in caplog.records]
    assert [few in line or most in line for line in told] == [True, True]
    assert [few in line for line in told] == [True, False]
    value = metrics.registry.get_sample_value
    assert value("wherewithal_category_events_total", {"listed": "yes"}) == 181
    assert value("wherewithal_category_events_total", {"listed": "no"}) == 219
