from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import time
from contextlib import asynccontextmanager
from types import SimpleNamespace

import numpy as np
import orjson
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from support.encoders import HashEncoder
from support.patience import PATIENCE_S
from support.reference import DAY, HOUR
from support.runs import quick_settings, read_back
from support.shoppers import BASE, arriving

from features.observation import Source
from features.online.opening import open_online_store
from features.online.user_views import STORED, USERS
from features.text_sum import NO_TEXTS, NO_TITLES
from features.users.state import UserState
from streams.broker.connection import connection
from streams.broker.reading import read_topic
from streams.broker.topics.lifetimes import BROKER_MS
from streams.broker.topics.provisioning import make_topics
from streams.cli import erase as command
from streams.cli.replay import feed
from streams.contract import SCORES, TOPICS, changelog_name, topic_name
from streams.exceptions import BrokerError, ConfigurationError, DrainTimeoutError
from streams.operating.drain import Drain
from streams.operating.erasing import erasing
from streams.operating.erasing.erasing import erase, look_up
from streams.operating.erasing.receipt import judge_records, judge_state, kept_after
from streams.operating.erasing.requests import Place
from streams.operating.summary import summarise
from streams.records.events import Erasure
from streams.telemetry.tally import Fate
from streams.worker.flow import Flow

PLACES = {"user_table", "online_store", "purchasing-power"}
pytestmark = pytest.mark.usefixtures("broker")


@pytest.fixture(params=["sqlite", "redis"])
def online_store(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'online.db'}"
    return request.getfixturevalue("redis_url")


def click(user, number, timestamp=BASE):
    value = {"event_id": f"c{number}", "user_id": user, "item_id": "i", "action": "view", "timestamp": timestamp}
    return {"topic": "clicks", "value": value}


def review(user, number, timestamp=BASE):
    value = {"event_id": f"r{number}", "user_id": user, "item_id": "i", "rating": 5, "timestamp": timestamp}
    return {"topic": "reviews", "value": value | {"text": f"a fine record, number {number}"}}


@asynccontextmanager
async def worker(settings, lines=()):
    """A flow that has settled these lines, and a function that feeds it more."""
    async with Flow(settings, encoder=HashEncoder()) as flow:
        drain = Drain(flow, 100)

        async def take(more):
            feeder = await feed(flow, drain, arriving(more))
            await drain.drained(feeder.ends)
            return await read_back(flow, summarise(flow, feeder, 1.0))

        flow.take = take
        await take(list(lines))
        yield flow


async def wherewithal(settings, *words):
    """Run the command line beside the flow; return its exit code, standard output and standard error."""
    environment = os.environ | {
        "WHEREWITHAL_BROKER": settings.broker,
        "WHEREWITHAL_ONLINE_STORE": settings.online_url,
        "WHEREWITHAL_STATE_DIR": str(settings.state_dir),
        "WHEREWITHAL_TOPIC_PREFIX": settings.topic_prefix,
        "WHEREWITHAL_GROUP": settings.group,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams.cli.main", *words), env=environment, stdout=-1, stderr=-1
    )
    out, errors = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return process.returncode, out.decode(), errors.decode()


async def test_the_command_erases_that_user_only_and_prints_what_was_removed_and_what_was_kept(
    tmp_path, broker, online_store
):
    shop = f"{broker.topic_prefix}shop-"
    lines = [click("gone", 1), review("gone", 2), click("stays", 3), review("stays", 4)]
    settings = quick_settings(tmp_path, online_store=online_store, topic_prefix=shop, group="power")
    async with worker(settings, lines) as flow:
        began = time.time() * 1000
        code, out, errors = await wherewithal(flow.settings, "erase", "gone", "--json")
        ended = time.time() * 1000
        after = await flow.take([])
        late = await flow.take([click("gone", 5, BASE + 1)])
    assert (code, errors) == (0, "")
    receipt = orjson.loads(out)
    told = {"user_id", "timestamp", "request", "verified", "served_before", "exists_again", "removed", "kept"}
    assert set(receipt) == told
    assert receipt["served_before"] is True
    assert receipt["user_id"] == "gone"
    assert began - 1 < receipt["timestamp"] <= ended
    assert receipt["verified"] is True
    assert receipt["exists_again"] is None
    assert set(receipt["removed"]) == PLACES
    assert all(place["removed"] and place["remains"] is None for place in receipt["removed"].values())
    table = receipt["removed"]["user_table"]
    assert (table["revision"], table["erased_at"]) == (0, receipt["timestamp"])
    assert table["where"].startswith(f"{shop}power-users-changelog/")
    assert receipt["removed"]["online_store"]["views"] == [view.name for view in STORED]
    assert list(after.scores) == list(after.features) == ["stays"]
    assert after.features["stays"]["views_30d"] == after.features["stays"]["reviews_30d"] == 1
    assert list(late.scores) == ["stays"]
    assert flow.tally.fates[Fate.ERASED] == 1


async def test_a_reader_is_told_for_how_long_each_place_keeps_what_no_erasure_removes(tmp_path):
    async with worker(quick_settings(tmp_path), [click("u", 1)]) as flow:
        code, out, errors = await wherewithal(flow.settings, "erase", "u", "--timestamp", "2026-01-02T03:04:05Z")
    assert (code, errors) == (0, "")
    assert "2026-01-02T03:04:05.000+00:00" in out
    for topic in ("reviews", "searches", "clicks", "erasures", "dead-letters"):
        assert f"kept         {topic:19} " in out
    # The embedded broker tells no settings.
    unknown = "latest date unknown: the broker does not tell retention.ms; ask it"
    assert f"the user's clicks; {unknown}" in out or re.search(r"the user's clicks; .*\(retention\.ms \d+ ", out)
    for place, holds in (("user_table", "older states of the user"), ("purchasing-power", "older scores of the user")):
        assert f"kept         {place:19} {holds}; " in out
    assert "late events stay refused; kept for good" in out


async def test_the_receipt_has_the_latest_date_that_the_settings_of_each_topic_allow(tmp_path, kafka):
    settings = quick_settings(tmp_path, broker=kafka.url, topic_prefix="dated-", partitions=1)
    topics = {
        "dated-clicks": {"retention.ms": 3 * DAY, "segment.ms": DAY},
        "dated-reviews": {"retention.ms": -1},
        "dated-purchasing-power": {"max.compaction.lag.ms": 2 * DAY, "min.compaction.lag.ms": HOUR, "segment.ms": DAY},
        "dated-wherewithal-users-changelog": {"max.compaction.lag.ms": 2**63 - 1},
    }
    async with made_elsewhere(settings, topics), worker(settings, [click("u", 1)]) as flow:
        before = int(time.time() * 1000)
        code, out, _ = await wherewithal(flow.settings, "erase", "u", "--json")
        after = int(time.time() * 1000)
    assert code == 0
    kept = {(entry["place"], entry["holds"]): entry for entry in orjson.loads(out)["kept"]}
    clicks = kept["clicks", "the user's clicks"]
    assert before <= clicks["latest"] - 4 * DAY - BROKER_MS <= after
    assert (clicks["setting"], clicks["value"], clicks["if_record_after"]) == ("retention.ms", str(3 * DAY), None)
    assert "(retention.ms 259200000 (3 days), segment.ms 86400000 (1 days))" in clicks["until"]
    reviews = kept["reviews", "the user's reviews"]
    assert (reviews["latest"], reviews["until"]) == (None, "no latest date: retention.ms has no limit")
    scores = kept["purchasing-power", "older scores of the user"]
    assert before <= scores["latest"] - 2 * DAY - BROKER_MS <= after
    assert before <= scores["if_record_after"] - DAY <= after
    states = kept["user_table", "older states of the user"]
    assert states["latest"] is None
    assert states["until"].startswith("no latest date: max.compaction.lag.ms is not set")
    assert kept["dead-letters", "rejected records of the user as they came"]["latest"] is not None


@asynccontextmanager
async def made_elsewhere(settings, topics):
    """Topics that stand before the worker starts, some of them with settings of somebody else's."""
    names = [topic_name(settings, topic) for topic in TOPICS] + [changelog_name(settings)]
    compacted = {topic_name(settings, SCORES), changelog_name(settings)}
    admin = AIOKafkaAdminClient(**connection(settings))
    await admin.start()
    try:
        new = []
        for name in names:
            config = {"cleanup.policy": "compact"} if name in compacted else {}
            config |= {key: str(value) for key, value in topics.get(name, {}).items()}
            new.append(NewTopic(name, settings.partitions, 1, topic_configs=config))
        await admin.create_topics(new)
        async with asyncio.timeout(PATIENCE_S):
            while {len(topic["partitions"]) for topic in await admin.describe_topics(names)} != {settings.partitions}:
                await asyncio.sleep(0.1)
        yield
    finally:
        await admin.close()


async def test_a_user_of_whom_nothing_is_known_is_erased_as_well(tmp_path):
    async with worker(quick_settings(tmp_path)) as flow:
        receipt = await erase(flow.settings, Erasure("stranger", BASE), PATIENCE_S)
        again = await erase(flow.settings, Erasure("stranger", BASE - 1), PATIENCE_S)
    assert receipt.verified
    assert receipt.served_before is False
    assert again.verified
    assert again.removed["user_table"].facts["erased_at"] == BASE


async def test_events_newer_than_the_erasure_make_the_user_anew_and_the_receipt_says_so(
    tmp_path, online_store, monkeypatch
):
    async with worker(quick_settings(tmp_path, online_store=online_store), [click("u", 1), review("u", 2)]) as flow:
        settle = erasing.settled

        async def settle_and_click_on(*arguments):
            await settle(*arguments)
            await flow.take([click("u", 3, BASE + 11)])

        monkeypatch.setattr(erasing, "settled", settle_and_click_on)
        receipt = await erase(flow.settings, Erasure("u", BASE + 10), PATIENCE_S)
        run = await flow.take([])
    assert receipt.verified
    assert receipt.as_dict()["exists_again"] == {"revision": 1}
    assert run.features["u"]["revision"] == run.scores["u"]["revision"] == 1
    assert run.features["u"]["reviews_30d"] == 0


async def test_without_a_worker_the_command_ends_in_time_and_says_what_to_check(tmp_path, broker):
    shop = f"{broker.topic_prefix}shop-"
    settings = quick_settings(tmp_path, broker=broker.url, topic_prefix=shop)
    with pytest.raises(BrokerError, match=f"expected a topic '{shop}erasures', found none"):
        await erase(settings, Erasure("u", BASE), 1.0)
    settings = quick_settings(tmp_path, broker=broker.url)
    await make_topics(settings)
    code, out, errors = await wherewithal(settings, "erase", "u", "--timeout", "0.5")
    sent = [record async for records in read_topic(settings, topic_name(settings, "erasures")) for record in records]
    assert (code, out) == (1, "")
    assert errors.startswith(
        f"wherewithal erase: the request {topic_name(settings, 'erasures')}/{sent[0].partition}/0 was not settled"
    )
    group = f"{broker.topic_prefix}wherewithal"
    assert f"expected the group '{group}' to commit offset 1 there, found 0; check that its workers run" in errors
    assert sent[0].key == b"u"
    assert set(orjson.loads(sent[0].value)) == {"user_id", "timestamp"}
    waited: list[tuple[str, int, int | None]] = []
    for timeout_s in (0.5, 5.0, 50.0):
        # Within the shortest a busy broker may not even have told what is committed.
        with pytest.raises(DrainTimeoutError):
            await erase(settings, Erasure("v", BASE), timeout_s, lambda *step: waited.append(step))
        if waited:
            break
    assert {(what, of) for what, _, of in waited} == {("seconds waited for the workers", None)}


@pytest.mark.parametrize("other", ["missing", "another", "redis"])
async def test_a_store_that_the_workers_do_not_write_proves_nothing(tmp_path, redis_url, other):
    urls = {"missing": f"sqlite:///{tmp_path / 'none.db'}", "another": f"sqlite:///{tmp_path / 'other.db'}"}
    url = urls.get(other, redis_url)
    if other == "another":
        open_online_store(url).close()
    async with worker(quick_settings(tmp_path), [click("u", 1)]) as flow:
        elsewhere = flow.settings.model_copy(update={"online_store": url})
        code, out, errors = await wherewithal(elsewhere, "erase", "u", "--json")
        assert not look_up(flow.settings.online_url, "u", USERS).serves
    assert code == 1
    removed = orjson.loads(out)["removed"]
    assert {name for name, place in removed.items() if not place["removed"]} == {"online_store"}
    assert errors.startswith("wherewithal erase: not verified, online_store (")
    assert ("found none" if other == "missing" else "not what the workers write") in errors
    assert not (tmp_path / "none.db").exists()


async def test_looking_a_user_up_changes_nothing_of_what_is_served(tmp_path, online_store):
    async with worker(quick_settings(tmp_path, online_store=online_store), [click("u", 1)]):
        first = look_up(online_store, "u", USERS)
        assert look_up(online_store, "u", USERS) == first
    assert (first.serves, first.fenced, first.trouble) == (True, True, None)
    assert "sqlite:" not in first.address


async def test_a_request_that_the_workers_refuse_is_not_taken_for_done(tmp_path):
    async with worker(quick_settings(tmp_path, earliest_timestamp_ms=BASE), [click("u", 1)]) as flow:
        receipt = await erase(flow.settings, Erasure("u", BASE - 1), PATIENCE_S)
        letters = (await flow.take([])).letters
    assert not receipt.verified
    assert {name for name, finding in receipt.removed.items() if finding.remains} == PLACES
    [letter] = letters
    place = f"topic erasures, partition {letter['partition']}, offset {letter['offset']}"
    assert place in receipt.removed["user_table"].remains


def test_a_state_that_does_not_know_of_the_erasure_outranking_the_marker_is_found():
    request, place = Erasure("u", BASE), Place("erasures", 0, 7)
    state = UserState()
    state.erase(BASE, 6, Source.ERASURES)
    newest = Place("changelog", 0, 3)
    assert "erase again" in judge_state(state, newest, request, place, "changelog").remains
    state.erase(BASE - 1, 7, Source.ERASURES)
    assert judge_state(state, newest, request, place, "changelog").remains is None
    assert "no marker" in judge_state(UserState(), None, request, place, "changelog").remains


@pytest.mark.parametrize(
    ("field", "left"),
    [
        ("remembered", [b"8 bytes.", b"", b""]),
        ("orders", b"16 bytes of order"),
        ("texts", NO_TEXTS.plus(BASE, 1.0, np.ones(64))),
        ("taste", NO_TITLES.plus(BASE, 1.0, np.ones(64))),
        ("waiting", [3]),
    ],
)
def test_a_marker_that_remembers_anything_is_found(field, left):
    request, place = Erasure("u", BASE), Place("erasures", 0, 7)
    state = UserState()
    state.erase(BASE, 7, Source.ERASURES)
    setattr(state, field, left)
    assert "damaged" in judge_state(state, Place("changelog", 0, 3), request, place, "changelog").remains


def test_a_score_behind_the_tombstone_is_found_unless_the_user_exists_again():
    def record(offset, value):
        return SimpleNamespace(partition=0, offset=offset, value=value)

    gone, again = UserState(), UserState()
    again.revision = 1
    published = [record(1, b"{}"), record(2, None)]
    assert judge_records(published, "scores", gone).where == "scores/0/2"
    assert judge_records(published, "scores", gone).remains is None
    published.append(record(3, b"{}"))
    assert "follows the tombstone" in judge_records(published, "scores", gone).remains
    assert judge_records(published, "scores", again).remains is None
    assert "no tombstone" in judge_records(published[:1], "scores", again).remains


def test_the_setting_that_limits_a_place_is_told_as_the_broker_has_it():
    kept = {entry.place: entry for entry in kept_after([SCORES], {"clicks": {"retention.ms": "5"}}, BASE)}
    assert (kept["clicks"].setting, kept["clicks"].value) == ("retention.ms", "5")
    assert (kept["reviews"].setting, kept["reviews"].value) == ("retention.ms", None)
    assert kept["online_store"].as_dict()["until"] == "kept for good"


def test_facts_of_items_are_listed_where_there_are_any():
    configs = {"item-facts": {"retention.ms": str(7 * DAY), "segment.ms": str(DAY)}}
    kept = {entry.place: entry for entry in kept_after([SCORES], configs, BASE, items=True)}
    assert kept["item-facts"].holds.endswith("no fact names a user")
    assert kept["item-facts"].lifetime.latest == BASE + 8 * DAY + BROKER_MS
    assert "item-facts" not in {entry.place for entry in kept_after([SCORES], configs, BASE)}


@pytest.mark.parametrize(
    ("user", "timestamp", "expected"),
    [
        ("", None, "user_id: expected a string of 1 to 256"),
        ("u" * 257, None, "user_id: expected a string of 1 to 256"),
        ("\udcff", None, "expected a user id in UTF-8"),
        ("u", "yesterday", "timestamp: expected RFC 3339"),
        ("u", "12", "seconds must be sent as milliseconds"),
        ("u", "9" * 5000, "a time of at most 64 bits"),
        ("u", "9" * 18, "timestamp: expected at most 86400000 ms after"),
    ],
)
def test_what_a_worker_would_refuse_is_refused_before_it_is_published(monkeypatch, user, timestamp, expected):
    monkeypatch.setenv("WHEREWITHAL_BROKER", "kafka://127.0.0.1:9")
    arguments = argparse.Namespace(user=user, timestamp=timestamp, timeout=1.0, json=False)
    with pytest.raises(ConfigurationError, match=expected):
        command.run(arguments)


@pytest.mark.parametrize(("name", "value"), [("BROKER", "embedded"), ("ONLINE_STORE", "mysql://u:secret@host/db")])
def test_a_setting_that_cannot_be_used_is_named(monkeypatch, name, value):
    monkeypatch.setenv("WHEREWITHAL_BROKER", "kafka://127.0.0.1:9")
    monkeypatch.setenv(f"WHEREWITHAL_{name}", value)
    with pytest.raises(ConfigurationError, match=f"WHEREWITHAL_{name}: expected") as caught:
        command.run(argparse.Namespace(user="u", timestamp=None, timeout=1.0, json=False))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_a_timeout_that_is_no_time_is_refused(seconds):
    parser = argparse.ArgumentParser(exit_on_error=False)
    command.add_arguments(parser)
    with pytest.raises(argparse.ArgumentError, match="expected a positive number of seconds"):
        parser.parse_args(["u", f"--timeout={seconds}"])
