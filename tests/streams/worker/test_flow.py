from __future__ import annotations

import asyncio
import random

import numpy as np
import orjson
import pytest
from support import reference
from support.encoders import HashEncoder, SwitchableEncoder
from support.oracle import assert_reference, assert_same
from support.patience import PATIENCE_S
from support.runs import quick_settings, read_back, run_flow
from support.shoppers import BASE, arriving, encoded, random_lines, without_titles

from streams.broker.reading import read_topic
from streams.cli.replay import feed
from streams.contract import EVENTS, SCORES, topic_name
from streams.operating.drain import Drain
from streams.operating.summary import summarise
from streams.settings import StateStore
from streams.worker.flow import Flow

pytestmark = pytest.mark.usefixtures("broker")


@pytest.fixture(params=["sqlite", "redis"])
def online_store(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'online.db'}"
    return request.getfixturevalue("redis_url")


def line(topic, **value):
    return {"topic": topic, "value": value}


def view(user, number):
    return line("clicks", event_id=f"c{number}", user_id=user, item_id="i", action="view", timestamp=BASE)


async def test_thousands_of_random_events_give_the_features_of_the_reference(tmp_path, online_store):
    lines = random_lines(seed=1, events=3000, users=200)
    run = await run_flow(quick_settings(tmp_path, online_store=online_store), encoded(lines))
    assert run.summary.complete
    assert run.summary.duplicates == len(lines) - 3000
    assert run.summary.users == len(run.scores) == len(run.features)
    assert_reference(run, lines)


async def test_a_replay_is_equal_whatever_the_order_of_its_lines(tmp_path):
    lines = random_lines(seed=2, events=1500, users=60)
    distinct = list({orjson.dumps(entry): entry for entry in lines}.values())
    as_of = BASE + 3 * reference.DAY
    first = await run_flow(quick_settings(tmp_path / "a"), encoded(distinct), as_of=as_of)
    random.Random(0).shuffle(distinct)
    second = await run_flow(quick_settings(tmp_path / "b"), encoded(distinct), as_of=as_of)
    assert_same(first, second)
    assert_reference(second, distinct, as_of)


async def test_every_score_record_explains_itself(tmp_path):
    run = await run_flow(quick_settings(tmp_path), encoded(without_titles(random_lines(seed=3, events=300, users=20))))
    for user, score in run.scores.items():
        assert set(score) == {
            *("user_id", "score", "expected_spend", "tier", "tags", "labels", "prediction", "intercept", "reasons"),
            *("life", "revision", "event_time", "emitted_at", "trigger", "model", "degraded"),
        }
        assert score["user_id"] == user
        contributions = [reason["contribution"] for reason in score["reasons"]]
        assert score["reasons"][-1]["feature"] == "other"
        assert len(contributions) == 6
        assert score["intercept"] + sum(contributions) == pytest.approx(score["prediction"], rel=1e-9)
        assert sorted(map(abs, contributions[:-1]), reverse=True) == [abs(value) for value in contributions[:-1]]
        assert score["expected_spend"] >= 0
        assert set(score["trigger"]) == {"topic", "partition", "offset"}
        assert score["degraded"] is True, "no artefact was fitted for the encoder of this test"
        assert set(score["tags"]) <= {"cheese", "coffee"}
        assert score["revision"] == run.features[user]["revision"]
        assert score["event_time"] == run.features[user]["event_time"]


async def test_one_row_and_one_score_per_touched_user_and_batch(tmp_path):
    lines = [view("one", number) for number in range(2000)]
    lines = [line("clicks", **entry["value"]) for entry in lines]
    run = await run_flow(quick_settings(tmp_path), encoded(lines))
    assert run.summary.events_applied == 2000
    assert run.summary.scores_out < 100


async def test_bad_input_becomes_dead_letters_with_the_original_bytes(tmp_path):
    good = {"event_id": "1", "user_id": "u", "item_id": "i", "action": "view", "timestamp": BASE}
    cases = [
        ({"topic": "clicks", "key": "u", "raw": "not json"}, "malformed", b"not json"),
        ({"topic": "clicks", "key": "u", "raw": ""}, "malformed", b""),
        ({"topic": "clicks", "key": "u", "raw_base64": "/w=="}, "malformed", b"\xff"),
        ({"topic": "clicks", "key": "u", "raw": '{"a":NaN}'}, "malformed", b'{"a":NaN}'),
        ({"topic": "clicks", "value": good | {"price": -1}}, "invalid", None),
        ({"topic": "clicks", "value": good, "key": "somebody else"}, "key_mismatch", None),
        ({"topic": "clicks", "value": good, "key": None}, "key_mismatch", None),
        ({"topic": "searches", "value": good | {"query": "q" * 32_769}}, "too_large", None),
        ({"topic": "clicks", "value": good | {"timestamp": 4_000_000_000_000}}, "future", None),
        ({"topic": "clicks", "key": "u", "raw": " " * (1 << 20) + "{}"}, "too_large", b" " * (1 << 20) + b"{}"),
    ]
    lines = encoded([case for case, _, _ in cases])
    lines += [(90, b"no object"), (91, b'{"topic": "orders", "value": {}}'), (92, b'{"topic": "clicks"}')]
    run = await run_flow(quick_settings(tmp_path), [*lines, *encoded([line("clicks", **good)])])
    assert run.summary.complete
    assert (run.summary.events_applied, run.summary.dead_letters) == (1, len(cases) + 3)
    by_place = {(letter["topic"], letter["partition"], letter["offset"]): letter for letter in run.letters}
    assert len(by_place) == len(cases) + 3
    reasons = sorted(letter["reason"] for letter in run.letters)
    assert reasons == sorted([reason for _, reason, _ in cases] + ["invalid"] * 3)
    for number, topic in ((90, ""), (91, "orders"), (92, "clicks")):
        assert by_place[topic, -1, number]["reason"] == "invalid"
    raws = {letter.get("raw", "").encode() for letter in run.letters}
    assert {raw for _, _, raw in cases if raw is not None and raw != b"\xff"} <= raws
    assert "/w==" in {letter.get("raw_base64") for letter in run.letters}
    assert not any("somebody else" in letter["detail"] for letter in run.letters)


async def test_an_erasure_removes_what_was_applied_and_refuses_what_is_not_newer(tmp_path, online_store):
    values = [view("gone", 1), view("gone", 2), view("stays", 3)]
    lines = [line("clicks", **entry["value"]) for entry in values]
    lines.append(line("erasures", user_id="gone", timestamp=BASE + 10))
    late = line("clicks", **(values[0]["value"] | {"event_id": "late"}))
    lines.append(late)
    run = await run_flow(quick_settings(tmp_path / "1", online_store=online_store), encoded(lines))
    assert run.summary.complete
    assert (run.summary.erased, run.summary.events_applied, run.summary.events_in) == (1, 3, 4)
    assert list(run.scores) == ["stays"]
    assert list(run.features) == ["stays"]
    newer = line("clicks", **(values[0]["value"] | {"event_id": "new", "timestamp": BASE + 11}))
    run = await run_flow(quick_settings(tmp_path / "2", online_store=online_store), encoded([*lines, newer]))
    assert run.scores["gone"]["revision"] == run.features["gone"]["revision"] == 1
    assert run.features["gone"]["views_30d"] == 1
    assert (run.scores["gone"]["life"], run.scores["stays"]["life"]) == (1, 0)


@pytest.mark.parametrize("store", [StateStore.MEMORY, StateStore.ROCKSDB])
async def test_a_second_worker_goes_on_from_the_changelog(tmp_path, broker, store):
    lines = random_lines(seed=5, events=1200, users=50)
    online = f"sqlite:///{tmp_path / 'online.db'}"
    settings = quick_settings(tmp_path, broker=broker.url, state_store=store, online_store=online)
    await run_flow(settings, encoded(lines[:600]))
    if store is StateStore.MEMORY:
        settings = settings.model_copy(update={"state_dir": tmp_path / "elsewhere"})
    run = await run_flow(settings, encoded(lines[600:]))
    assert run.summary.complete
    assert_reference(run, lines)


async def test_a_redelivered_topic_changes_no_state_and_publishes_every_user_again(tmp_path, broker):
    lines = random_lines(seed=6, events=400, users=20)
    settings = quick_settings(tmp_path, broker=broker.url)
    first = await run_flow(settings, encoded(lines))
    # The changelog is kept; a group of another name starts at offset 0 with that state.
    async with Flow(settings, encoder=HashEncoder()) as flow:
        consumer = flow.app.consumer
        for tp in consumer.assignment():
            if tp.topic in [topic_name(settings, topic) for topic in EVENTS]:
                consumer.ledgers.pop(tp, None)
                await consumer.seek(tp, 0)
        users = set(first.features)
        seen = set()
        async with asyncio.timeout(PATIENCE_S):
            while seen != users or flow.tally.fates.total() < first.summary.events_in:
                await asyncio.sleep(0.05)
                seen = set((await read_back(flow, first.summary)).scores)
        await flow.engine.held.settle()
        again = await read_back(flow, first.summary)
    assert flow.tally.fates["applied"] == 0
    assert_same(first, again)
    assert all(again.scores[user]["emitted_at"] > first.scores[user]["emitted_at"] for user in users)


async def test_a_text_that_fails_alone_is_a_dead_letter_and_its_neighbours_are_applied(tmp_path):
    common = {"user_id": "u", "item_id": "i", "rating": 5, "timestamp": BASE}
    texts = ["fine sound", "POISON here", "also fine"]
    lines = [line("reviews", event_id=str(n), text=text, **common) for n, text in enumerate(texts)]
    run = await run_flow(quick_settings(tmp_path), encoded(lines), encoder=SwitchableEncoder())
    assert run.summary.complete
    assert [letter["reason"] for letter in run.letters] == ["encoder_failed"]
    assert "POISON" not in run.letters[0]["detail"]
    assert run.features["u"]["reviews_30d"] == 2


async def test_while_the_encoder_is_down_clicks_go_on_degraded_and_texts_wait(tmp_path):
    encoder = SwitchableEncoder()
    review = line("reviews", event_id="r", user_id="u", item_id="i", text="wonderful", rating=5, timestamp=BASE)
    async with Flow(quick_settings(tmp_path), encoder=encoder, keep_latencies=True) as flow:
        drain = Drain(flow, 100)
        encoder.broken = True
        reviews = await feed(flow, drain, arriving([review]))
        async with asyncio.timeout(PATIENCE_S):
            while not flow.engine.encoder_down:
                await asyncio.sleep(0.02)
        clicks = await feed(flow, drain, arriving([line("clicks", **view("u", 1)["value"])]))
        await drain.drained(clicks.ends)
        assert flow.failing_dependencies() == ["the encoder is down"]
        assert drain.behind(reviews.ends) == 1
        encoder.broken = False
        await drain.drained(reviews.ends)
        assert not flow.engine.encoder_down
        run = await read_back(flow, summarise(flow, reviews, 1.0))
    assert run.features["u"]["reviews_30d"] == run.features["u"]["views_30d"] == 1
    assert np.linalg.norm(run.features["u"]["profile_vector"]) == pytest.approx(1)


async def test_the_score_topic_holds_a_users_records_in_the_order_of_their_revisions(tmp_path):
    lines = random_lines(seed=8, events=1500, users=10)
    async with Flow(quick_settings(tmp_path), encoder=HashEncoder()) as flow:
        feeder = await feed(flow, drain := Drain(flow, 50), arriving(lines))
        await drain.drained(feeder.ends)
        revisions: dict[str, list[tuple[int, int]]] = {}
        async for records in read_topic(flow.settings, topic_name(flow.settings, SCORES)):
            for record in records:
                score = orjson.loads(record.value)
                revisions.setdefault(score["user_id"], []).append((score["revision"], score["emitted_at"]))
    assert sum(map(len, revisions.values())) > len(revisions)
    assert all(ranks == sorted(ranks) for ranks in revisions.values())
