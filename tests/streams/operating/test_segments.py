"""Segments: whom a condition chooses, how users are counted, and the command that reads them from a broker."""

from __future__ import annotations

import asyncio
import json

import pytest
from support.servers.brokers import Broker, fresh_prefix
from support.shoppers import BASE

from streams.broker.publisher import Publisher
from streams.broker.topics.provisioning import make_topics
from streams.cli.main import main
from streams.contract import SCORES, topic_name
from streams.exceptions import ConfigurationError
from streams.operating.segments import UNLABELLED, count_segments, matches, parse_conditions
from streams.records.outgoing import Outgoing
from streams.settings import load_settings


def record(user, tier="low", lifecycle="active", price_band="mid", intent="idle", revision=1, **interests):
    labels = {"interests": interests, "price_band": price_band, "lifecycle": lifecycle, "intent": intent}
    rank = {"revision": revision, "event_time": BASE, "emitted_at": BASE}
    return {"user_id": user, "score": 1.0, "tier": tier, "expected_spend": 2.0, "reasons": [], "labels": labels} | rank


def before_labels(user):
    return {name: value for name, value in record(user).items() if name != "labels"}


SHOPPERS = [
    record("a", "high", "at_risk", "premium", jazz=0.75, rock=0.25),
    record("b", "high", "loyal", "premium", "buying", jazz=1.0),
    record("c", "premium", "loyal", "luxury", "buying"),
    record("d", "low", "prospect", "unknown", "browsing", rock=1.0),
    record("e", "low", "prospect", "unknown"),
    before_labels("f"),
]


def chosen(*conditions):
    wanted = parse_conditions(conditions)
    return "".join(shopper["user_id"] for shopper in SHOPPERS if matches(shopper, wanted))


@pytest.mark.parametrize(
    ("conditions", "users"),
    [
        ((), "abcdef"),
        (("tier=high",), "ab"),
        (("tier=high", "lifecycle=at_risk", "interest=jazz"), "a"),
        (("tier=high", "tier=premium"), "abc"),
        (("interest=jazz", "interest=rock"), "abd"),
        (("interest=rock", "tier=low"), "d"),
        (("intent=buying", "price_band=luxury"), "c"),
        (("interest=no such",), ""),
        (("lifecycle=unlabelled",), "f"),
        (("price_band=unknown",), "de"),
    ],
)
def test_fields_are_all_needed_and_any_value_of_a_field_is_accepted(conditions, users):
    assert chosen(*conditions) == users


@pytest.mark.parametrize("condition", ["tier", "tier=", "=high", "colour=red", "user_id=a", ""])
def test_what_is_no_condition_is_refused(condition):
    with pytest.raises(ConfigurationError, match=r"^--where: expected FIELD=VALUE with one of tier, price_band"):
        parse_conditions([condition])


@pytest.mark.parametrize("condition", ["tier=gold", "tier=unlabelled", "lifecycle=at risk", "intent=Buying"])
def test_a_value_that_no_record_has_is_refused(condition):
    with pytest.raises(ConfigurationError, match=r"^--where: expected \w+=\w+\|"):
        parse_conditions([condition])


def test_every_user_is_counted_once_and_under_each_interest():
    segments = count_segments(SHOPPERS)
    assert segments.users == len(SHOPPERS) == sum(segments.cells.values()) == sum(segments.intents.values())
    assert list(segments.cells.items()) == [
        (("premium", "loyal", "luxury"), 1),
        (("high", "loyal", "premium"), 1),
        (("high", "at_risk", "premium"), 1),
        (("low", "prospect", "unknown"), 2),
        (("low", UNLABELLED, UNLABELLED), 1),
    ]
    assert segments.intents == {"buying": 2, "browsing": 1, "idle": 2, UNLABELLED: 1}
    assert list(segments.interests.items()) == [("jazz", 2), ("rock", 2)]


@pytest.fixture(scope="module")
def published(shared_broker):
    """A broker with scores, of whom one was erased."""
    broker = Broker(shared_broker, fresh_prefix())
    settings = load_settings(broker=broker.url, topic_prefix=broker.topic_prefix, partitions=1)
    records = [*SHOPPERS, record("a", "low", revision=0), record("gone")]
    values = [Outgoing(value["user_id"].encode(), json.dumps(value).encode()) for value in records]

    async def publish():
        await make_topics(settings)
        publisher = Publisher(settings)
        await publisher.start()
        topic = topic_name(settings, SCORES)
        await (await publisher.send(topic, 0, [*values, Outgoing(b"gone", None)])).acknowledged()
        await publisher.stop()

    asyncio.run(publish())
    return broker


@pytest.fixture
def scores(published, monkeypatch, capsys):
    for name, value in published.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "120")

    def command(*words):
        code = main(["scores", *words])
        out, err = capsys.readouterr()
        return code, out, err

    return command


def test_the_command_counts_the_newest_record_of_every_user_as_json(scores):
    code, out, err = scores("--segments", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found == count_segments(SHOPPERS).as_json()
    assert found["users"] == 6
    assert found["segments"][0] == {"tier": "premium", "lifecycle": "loyal", "price_band": "luxury", "users": 1}


def test_the_command_shows_segments_as_tables(scores):
    code, out, err = scores("--segments", "--where", "tier=low")
    assert (code, err) == (0, "")
    lines = [[cell.strip() for cell in line.strip("│┃ ").replace("┃", "│").split("│")] for line in out.splitlines()]
    assert ["tier", "lifecycle", "unknown", "unlabelled", "users"] in lines
    assert ["low", "prospect", "2", "-", "2"] in lines
    assert ["low", "unlabelled", "-", "1", "1"] in lines
    assert ["rock", "1"] in lines
    assert "3 users by price band" in out


def test_the_command_lists_the_users_of_a_segment_as_ndjson(scores):
    code, out, err = scores("--where", "tier=high", "--where", "interest=jazz")
    assert (code, err) == (0, "")
    assert [json.loads(line) for line in out.splitlines()] == [{"user_id": "a"}, {"user_id": "b"}]
    code, out, _ = scores("--where", "lifecycle=at_risk", "--json")
    assert (code, [json.loads(line) for line in out.splitlines()]) == (0, [SHOPPERS[0]])


def test_the_command_without_conditions_shows_old_records_too(scores):
    code, out, err = scores()
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["a", "b", "c", "d", "e", "f"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--where", "colour=red"), "--where: expected FIELD=VALUE"),
        (("--follow", "--segments"), "--follow: expected it without"),
        (("--follow", "--where", "tier=high"), "--follow: expected it without"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_in_one_line(scores, words, said):
    code, out, err = scores(*words)
    assert (code, out) == (2, "")
    assert err.startswith(f"wherewithal scores: {said}")
    assert err.count("\n") == 1
