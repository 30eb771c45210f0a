"""Models in production, in a whole running flow: swaps under traffic, shadow, drift, calibration, restarts."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray
from support.artefacts import drift_reference, fitted_artefact, ship
from support.encoders import HashEncoder
from support.oracle import assert_reference, assert_same, assert_score_log
from support.patience import PATIENCE_S
from support.runs import Run, quick_settings, read_back, run_flow
from support.shoppers import BASE, arriving, encoded, random_lines, without_titles

from features.tiles import DAY
from streams.broker.reading import read_topic
from streams.cli.replay import feed
from streams.contract import SCORES, topic_name
from streams.operating.drain import Drain
from streams.operating.read_back import last_scores
from streams.operating.summary import summarise
from streams.settings import Settings, StateStore, WindowEdge
from streams.worker.flow import Flow
from streams.worker.production import live_calibration as outcomes_module
from streams.worker.production import model_watch as production_module
from streams.worker.production import served_watch
from streams.worker.production.served_drift import Drift
from streams.worker.production.served_watch import OUTCOMES_FILE

pytestmark = pytest.mark.usefixtures("broker")


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not reached():
            await asyncio.sleep(0.02)


def value(flow: Flow, name: str, **labels: str) -> float | None:
    return flow.metrics.registry.get_sample_value(f"wherewithal_{name}", labels)


def live_settings(folder: Path, **overrides: Any) -> Settings:
    return quick_settings(folder, artefact=str(folder / "live"), artefact_poll_s=0.05, **overrides)


def spread(lines: list[dict[str, Any]], users: int) -> list[dict[str, Any]]:
    """Have each of the users do about as much."""
    for line in lines:
        line["value"]["user_id"] = f"user-{int(line['value']['event_id'][1:]) % users}"
    return lines


async def records_of(settings: Settings) -> list[dict[str, Any]]:
    return [
        orjson.loads(r.value)
        async for records in read_topic(settings, topic_name(settings, SCORES))
        for r in records
        if r.value
    ]


async def everybody_scored_by(flow: Flow, version: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            scores = await last_scores(flow.settings)
            if {score["model"]["scorer"] for score in scores.values()} == {version}:
                return dict(scores)
            await asyncio.sleep(0.1)


async def test_an_artefact_swapped_in_under_traffic_leaves_the_state_and_the_scores_of_an_undisturbed_run(tmp_path):
    lines = without_titles(random_lines(seed=11, events=2400, users=120))
    old, new = fitted_artefact(), fitted_artefact(intercept=1.0)
    before = ship(old, tmp_path / "a" / "live")
    async with Flow(live_settings(tmp_path / "a"), encoder=HashEncoder(), keep_latencies=True) as flow:
        assert not flow.engine.equipment.emitter.degraded
        drain = Drain(flow, 200)
        await feed(flow, drain, arriving(lines[:800]))
        after = ship(new, tmp_path / "a" / "live")
        await feed(flow, drain, arriving(lines[800:1600]))
        await until(lambda: flow.engine.equipment.emitter.scoring.version == after)
        feeder = await feed(flow, drain, arriving(lines[1600:]))
        await drain.drained(feeder.ends)
        await everybody_scored_by(flow, after)
        await flow.engine.held.settle()
        swapped = await read_back(flow, summarise(flow, feeder, 1.0))
        await assert_score_log(flow.settings)
        records = await records_of(flow.settings)
        assert value(flow, "model_info", scorer=after, encoder=flow.inference.encoder) == 1
        assert value(flow, "model_info", scorer=before, encoder=flow.inference.encoder) is None
        # Users who came after the swap are not among those it has to refresh.
        known_before = {record["user_id"] for record in records if record["model"]["scorer"] == before}
        assert value(flow, "refreshed_users_total") >= len(known_before) > 0
        assert value(flow, "artefact_refused_total", role="live") == 0
    intercepts = {before: old.scorer.model.intercept, after: new.scorer.model.intercept}
    assert {record["model"]["scorer"] for record in records} == {before, after}
    for record in records:
        assert record["intercept"] == intercepts[record["model"]["scorer"]], "a record is of one artefact"
    assert any(record["trigger"] is None and record["model"]["scorer"] == after for record in records)
    assert not any(record["trigger"] is None and record["model"]["scorer"] == before for record in records)
    ship(new, tmp_path / "b" / "live")
    undisturbed = await run_flow(live_settings(tmp_path / "b"), encoded(lines))
    assert_same(swapped, undisturbed)
    assert_reference(swapped, lines)


async def test_a_refused_artefact_leaves_the_old_one_in_place_until_a_good_one_is_asked_for(tmp_path):
    before = ship(fitted_artefact(), tmp_path / "live")
    async with Flow(live_settings(tmp_path), encoder=HashEncoder()) as flow:
        ship(fitted_artefact(seed=7, intercept=2.0), tmp_path / "live")
        await until(lambda: value(flow, "artefact_refused_total", role="live") == 1)
        lines = arriving(random_lines(seed=13, events=50, users=5))
        feeder = await feed(flow, drain := Drain(flow, 200), lines)
        await drain.drained(feeder.ends)
        scores = await last_scores(flow.settings)
        assert {score["model"]["scorer"] for score in scores.values()} == {before}
        assert {score["model"]["encoder"] for score in scores.values()} == {flow.inference.encoder}
        flow.reload()
        await until(lambda: value(flow, "artefact_refused_total", role="live") == 2)
        after = ship(fitted_artefact(intercept=2.0), tmp_path / "live")
        flow.reload()
        await everybody_scored_by(flow, after)


async def test_a_restart_in_the_middle_of_a_refresh_leaves_each_record_naming_its_scorer(tmp_path, broker):
    lines = spread(random_lines(seed=14, events=900, users=300), 300)
    # A slice of 100 users, and then none for 100 seconds: as good as a crash in the middle.
    online = f"sqlite:///{tmp_path / 'online.db'}"
    settings = live_settings(tmp_path, broker=broker.url, online_store=online, refresh_users_per_s=1, partitions=1)
    before = ship(fitted_artefact(), tmp_path / "live")
    async with Flow(settings, encoder=HashEncoder()) as flow:
        feeder = await feed(flow, drain := Drain(flow, 200), arriving(lines))
        await drain.drained(feeder.ends)
        users = len(await last_scores(flow.settings))
        after = ship(fitted_artefact(intercept=1.0), tmp_path / "live")
        await until(lambda: value(flow, "refreshed_users_total") == 100)
    more = spread(random_lines(seed=15, events=300, users=300), 50)
    for line in more:
        line["value"]["event_id"] += "-later"
    run = await run_flow(settings.model_copy(update={"state_dir": tmp_path / "restarted"}), encoded(more))
    named = [score["model"]["scorer"] for score in run.scores.values()]
    touched = {line["value"]["user_id"] for line in more}
    assert {run.scores[user]["model"]["scorer"] for user in touched} == {after}
    assert set(named) == {before, after}
    assert len(touched) < named.count(after) <= len(touched) + 100 < users + len(touched)
    assert_reference(run, lines + more)


async def test_a_shadow_is_compared_on_every_score_and_never_published(tmp_path):
    before = ship(fitted_artefact(), tmp_path / "live")
    other = ship(fitted_artefact(intercept=0.4), tmp_path / "shadow")
    settings = live_settings(tmp_path, shadow_artefact=str(tmp_path / "shadow"))
    async with Flow(settings, encoder=HashEncoder()) as flow:
        await until(lambda: value(flow, "shadow_info", scorer=other) == 1)
        lines = arriving(random_lines(seed=16, events=300, users=30))
        feeder = await feed(flow, drain := Drain(flow, 200), lines)
        await drain.drained(feeder.ends)
        records = await records_of(flow.settings)
        assert value(flow, "shadow_difference_count") == len(records)
        assert value(flow, "shadow_difference_sum") == pytest.approx(0.4 * len(records), rel=1e-9)
        assert {record["model"]["scorer"] for record in records} == {before}
        ship(fitted_artefact(encoder_identity="another@123456789abc"), tmp_path / "shadow")
        await until(lambda: value(flow, "artefact_refused_total", role="shadow") == 1)
        assert value(flow, "shadow_info", scorer=other) == 1
        newer = ship(fitted_artefact(intercept=0.5), tmp_path / "shadow")
        await until(lambda: value(flow, "shadow_info", scorer=newer) == 1)
        assert value(flow, "shadow_info", scorer=other) is None
        assert flow.engine.equipment.emitter.scoring.version == before


async def test_drift_is_shown_by_feature_where_the_artefact_has_a_reference(tmp_path, monkeypatch):
    monkeypatch.setattr(production_module, "PUBLISH_S", 0.05)
    monkeypatch.setattr(served_watch, "Drift", lambda metrics: Drift(metrics, least_users=50))
    artefact = fitted_artefact()
    ship(replace(artefact, drift=drift_reference(artefact)), tmp_path / "live")
    async with Flow(live_settings(tmp_path), encoder=HashEncoder()) as flow:
        feeder = await feed(flow, drain := Drain(flow, 200), arriving(spread(random_lines(17, 600, 150), 150)))
        await drain.drained(feeder.ends)
        await until(lambda: value(flow, "drift_psi", feature="prediction") is not None)
        assert value(flow, "drift_psi", feature="spend_30d") > 0.25, "a Poisson of mean 1 is no spend"
        await flow.engine.release()
        await until(lambda: value(flow, "drift_sample_users") == 0)
        assert value(flow, "drift_psi", feature="spend_30d") > 0.25, "users who move take no index with them"
        ship(fitted_artefact(intercept=1.0), tmp_path / "live")
        await until(lambda: value(flow, "drift_psi", feature="prediction") is None)


class Clock:
    now = BASE + DAY

    def __call__(self) -> int:
        return self.now


def purchase(number: int, user: str, price: float, when: int) -> dict[str, Any]:
    click = {"event_id": f"p{number}", "user_id": user, "item_id": "i", "action": "purchase", "price": price}
    return {"topic": "clicks", "value": click | {"timestamp": when}}


async def test_predictions_are_judged_30_days_later_across_a_restart_and_without_the_erased(
    tmp_path, broker, monkeypatch
):
    monkeypatch.setattr(outcomes_module, "INTERVAL_S", 0.05)
    clock = Clock()
    version = ship(fitted_artefact(), tmp_path / "live")
    settings = live_settings(
        tmp_path,
        broker=broker.url,
        partitions=2,
        window_edge=WindowEdge.CLOCK,
        state_store=StateStore.ROCKSDB,
        calibration_share=1.0,
    )
    async with Flow(settings, encoder=HashEncoder(), clock=clock) as flow:
        first = [purchase(number, f"u{number}", 20.0, BASE) for number in range(4)]
        feeder = await feed(flow, drain := Drain(flow, 200), arriving(first))
        await drain.drained(feeder.ends)
        await until(lambda: value(flow, "calibration_pending_users") == 4)
        predicted = {user: score["expected_spend"] for user, score in (await last_scores(flow.settings)).items()}
    clock.now += 20 * DAY
    async with Flow(settings, encoder=HashEncoder(), clock=clock) as flow:
        later = [purchase(10, "u0", 30.0, clock.now), purchase(11, "u1", 12.5, clock.now)]
        gone = {"topic": "erasures", "value": {"user_id": "u3", "timestamp": clock.now}}
        feeder = await feed(flow, drain := Drain(flow, 200), arriving([*later, later[0], gone]))
        await drain.drained(feeder.ends)
        await until(lambda: value(flow, "calibration_pending_users") == 3)
        clock.now += 10 * DAY + 1000
        totals = ("predicted", "actual", "judged")

        def shown(name: str) -> float:
            found = (value(flow, f"calibration_{name}_total", scorer=version, decile=str(d)) for d in range(10))
            return sum(total for total in found if total is not None)

        await until(lambda: shown("judged") == 3)
        assert [shown(name) for name in totals] == pytest.approx(
            [sum(predicted[user] for user in ("u0", "u1", "u2")), 42.5, 3]
        )
        assert b"u3" not in (tmp_path / OUTCOMES_FILE).read_bytes()


class OtherEncoder(HashEncoder):
    """Another model: no vector of it may meet one of `HashEncoder`."""

    name = "other-encoder"
    weights_digest = hashlib.sha256(b"other-encoder").hexdigest()

    def vector(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        return super().vector([1, *tokens])


def profiles(run: Run) -> dict[str, NDArray[np.float32]]:
    return {user: np.asarray(row["profile_vector"], np.float32) for user, row in run.features.items()}


def review(number: int, user: str, text: str) -> dict[str, Any]:
    common = {"item_id": "i", "rating": 5, "timestamp": BASE + number}
    return {"topic": "reviews", "value": {"event_id": f"r{number}", "user_id": user, "text": text} | common}


async def test_after_a_restart_with_another_encoder_no_vector_mixes_two_of_them(tmp_path, broker):
    first = [review(1, "quiet", "lovely jazz record"), review(2, "writes", "lovely jazz record")]
    second = [review(3, "writes", "a fine turntable"), purchase(4, "quiet", 9.0, BASE)]
    settings = quick_settings(tmp_path, broker=broker.url, online_store=f"sqlite:///{tmp_path / 'online.db'}")
    before = await run_flow(settings, encoded(first))
    after = await run_flow(
        settings.model_copy(update={"state_dir": tmp_path / "b"}), encoded(second), encoder=OtherEncoder()
    )
    alone = await run_flow(quick_settings(tmp_path / "alone"), encoded(second[:1]), encoder=OtherEncoder())
    assert np.linalg.norm(profiles(before)["quiet"]) == pytest.approx(1)
    assert not profiles(after)["quiet"].any(), "what the old encoder read is not compared with what the new one reads"
    np.testing.assert_allclose(profiles(after)["writes"], profiles(alone)["writes"], atol=1e-6)
    assert {score["model"]["encoder"] for score in after.scores.values()}.isdisjoint(
        score["model"]["encoder"] for score in before.scores.values()
    )


async def test_texts_are_read_again_under_another_prefix_beside_the_running_system(tmp_path, broker):
    lines = random_lines(seed=18, events=500, users=40)
    blue = quick_settings(tmp_path / "blue", broker=broker.url)
    before = await run_flow(blue, encoded(lines))
    mirrored = [
        {"topic": topic, "key": r.key.decode(), "raw_base64": base64.b64encode(r.value).decode()}
        for topic in ("reviews", "searches", "clicks")
        async for records in read_topic(blue, topic_name(blue, topic))
        for r in records
    ]
    green = blue.model_copy(update={"topic_prefix": f"{broker.topic_prefix}green-", "state_dir": tmp_path / "green"})
    after = await run_flow(green, encoded(mirrored), encoder=OtherEncoder())
    untouched = await last_scores(blue)
    scratch = await run_flow(quick_settings(tmp_path / "scratch"), encoded(lines), encoder=OtherEncoder())
    assert_same(after, scratch)
    assert untouched == before.scores
    for user, vector in profiles(after).items():
        had, has = profiles(before)[user].any(), vector.any()
        assert had == has, "every profile was made anew"
        assert not has or abs(float(vector @ profiles(before)[user])) < 0.9
