from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections import Counter
from types import SimpleNamespace

import orjson
import pytest
from support.encoders import SwitchableEncoder
from support.inputs import ends_of_inputs
from support.patience import PATIENCE_S
from support.redriving import purchase, redrive, redriven, review, worker
from support.runs import quick_settings, run_flow
from support.shoppers import BASE, encoded

from streams.broker.reading import read_topic
from streams.broker.topics.counts import partition_counts
from streams.cli import redrive as command
from streams.contract import topic_name
from streams.exceptions import BrokerError, ConfigurationError
from streams.operating.redriving.journal import Journal, journal_name
from streams.operating.redriving.letters import Choice, Standing, decide, read_letter
from streams.operating.redriving.redrive import Redrive
from streams.records.ndjson import partition_of
from streams.rekeying.letters import REKEYED
from streams.telemetry.tally import Fate

ALL = Choice()

pytestmark = pytest.mark.usefixtures("broker")


async def test_letters_of_another_currency_are_applied_once_after_a_restart_with_that_one(tmp_path, broker):
    settings = quick_settings(tmp_path, broker=broker.url)
    lines = [purchase("u", 1), *(purchase(user, 2, currency="EUR") for user in ("u", "v", "w"))]
    first = await run_flow(settings, encoded(lines))
    assert (first.summary.events_applied, first.summary.dead_letters) == (1, 3)
    settings = quick_settings(tmp_path, broker=broker.url, currency="EUR")
    async with worker(settings) as flow:
        assert await redrive(settings) == {Standing.SENT: 3}
        once = await flow.settle()
        ends = await ends_of_inputs(settings)
        assert await redrive(settings) == {Standing.SENT_BEFORE: 3}
        assert await ends_of_inputs(settings) == ends
        twice = await flow.settle()
    assert flow.tally.fates == {Fate.APPLIED: 3}
    assert {user: row["lifetime_spend"] for user, row in once.features.items()} == {"u": 20.0, "v": 10.0, "w": 10.0}
    assert twice.features == once.features
    assert len(twice.letters) == 3


async def test_texts_that_an_encoder_refused_are_applied_once_it_takes_them(tmp_path):
    encoder = SwitchableEncoder()
    async with worker(quick_settings(tmp_path), encoder) as flow:
        before = await flow.take([review("u", 1, "a POISON record"), review("u", 2, "a fine record"), purchase("u", 3)])
        encoder.poison = b"never written"
        assert await redrive(flow.settings, Choice(reasons=["invalid"])) == {}
        assert await redrive(flow.settings, Choice(reasons=["encoder_failed"])) == {Standing.SENT: 1}
        after = await flow.settle()
    assert (before.features["u"]["reviews_30d"], after.features["u"]["reviews_30d"]) == (1, 2)
    assert list(after.features["u"]["profile_vector"]) != list(before.features["u"]["profile_vector"])
    assert after.features["u"]["revision"] == 3


async def test_a_dry_run_sends_nothing_and_tells_places_without_what_users_wrote(tmp_path):
    async with worker(quick_settings(tmp_path)) as flow:
        lines = [purchase("secret-user", 1, currency="EUR"), {"topic": "searches", "key": "k", "raw": "secret"}]
        await flow.take([*lines, {"topic": "secret-topic", "value": {}}])
        ends = await ends_of_inputs(flow.settings)
        code, out, errors = await wherewithal(flow.settings, "redrive", "--json")
        assert await ends_of_inputs(flow.settings) == ends
        _, shown, _ = await wherewithal(flow.settings, "redrive", "--topic", "clicks", "searches", "--limit", "1")
        name = journal_name(flow.settings)
        assert await partition_counts(flow.settings, [name]) == {}
    assert (code, errors) == (0, "")
    assert "secret" not in out + shown
    report = orjson.loads(out)
    assert report["dry_run"] is True
    assert report["by_reason"] == {"invalid": {"clicks": 1, "?": 1}, "malformed": {"searches": 1}}
    assert report["standings"] == {"to_redrive": 2, "never_a_record": 1}
    places = {(place["topic"], place["partition"] >= 0, place["standing"]) for place in report["places"]}
    assert places == {("clicks", True, "to_redrive"), ("searches", True, "to_redrive"), ("?", False, "never_a_record")}
    assert "3 dead letters, 2 of them asked for" in shown
    assert "left for a later run by --limit: 1" in shown
    assert "dry run, nothing was sent; letters that --go would send back: 1" in shown


async def test_bytes_key_and_partition_of_a_redriven_record_are_those_of_the_letter(tmp_path):
    async with worker(quick_settings(tmp_path)) as flow:
        await flow.take([
            {"topic": "clicks", "key": None, "raw_base64": "/wD+"},
            {"topic": "clicks", "key": "k", "raw": ""},
            purchase("u", 1) | {"key": "of somebody else"},
        ])  # fmt: skip
        original = [
            record
            async for records in read_topic(flow.settings, topic_name(flow.settings, "clicks"))
            for record in records
        ]
        code, out, _ = await wherewithal(flow.settings, "redrive", "--go", "--json")
        sent = await redriven(flow.settings, "clicks")
        letters = [
            r async for records in read_topic(flow.settings, topic_name(flow.settings, "dead-letters")) for r in records
        ]
    assert code == 0
    assert orjson.loads(out)["standings"] == {"redriven": 3}
    same = Counter((record.partition, record.key, record.value) for record in original)
    assert Counter((record.partition, record.key, record.value) for record in sent) == same
    places = {f"dead-letters/{letter.partition}/{letter.offset}".encode() for letter in letters}
    assert {value for record in sent for name, value in record.headers if name == "redriven-from"} <= places


async def test_a_letter_that_fails_again_is_a_new_one_and_known_as_such(tmp_path):
    async with worker(quick_settings(tmp_path)) as flow:
        await flow.take([purchase("u", 1, currency="EUR")])
        await redrive(flow.settings)
        run = await flow.settle()
        work = Redrive(flow.settings)
        await work.survey(ALL)
        [record] = await redriven(flow.settings, "clicks")
    assert len(run.letters) == 2
    assert [(letter.standing, letter.again) for letter in work.letters] == [
        (Standing.SENT_BEFORE, False),
        (Standing.TO_SEND, True),
    ]
    assert work.letters[1].record == ("clicks", record.partition, record.offset)
    assert dict(record.headers) == {"redriven-from": work.letters[0].name.encode()}


@pytest.mark.parametrize("written", [0, 1])
async def test_a_run_that_dies_is_gone_on_with_and_sends_nothing_twice(tmp_path, broker, monkeypatch, written):
    """The journal is written before the sending and after it: at `written` the run dies."""
    settings = quick_settings(tmp_path, broker=broker.url)
    erasure = {"topic": "erasures", "key": "u", "value": {"user_id": "v", "timestamp": BASE}}
    async with worker(settings) as flow:
        await flow.take([purchase("u", 1, currency="EUR"), purchase("v", 2, currency="EUR"), erasure])
    write, calls = Journal.write, 0

    async def die(self, producer, entries):
        nonlocal calls
        if entries:
            calls += 1
            if calls > written:
                raise BrokerError("the broker went away")
        await write(self, producer, entries)

    monkeypatch.setattr(Journal, "write", die)
    with pytest.raises(BrokerError, match="went away"):
        await redrive(settings)
    monkeypatch.setattr(Journal, "write", write)
    before = sum([len(await redriven(settings, topic)) for topic in ("clicks", "erasures")])
    assert (before > 0) is (written > 0)
    assert await redrive(settings, go=False) == {
        standing: count for standing, count in ((Standing.SENT_BEFORE, before), (Standing.TO_SEND, 3 - before)) if count
    }
    assert (await redrive(settings))[Standing.SENT] == 3 - before
    assert await redrive(settings) == {Standing.SENT_BEFORE: 3}
    assert len(await redriven(settings, "clicks")) == 2
    assert len(await redriven(settings, "erasures")) == 1
    journal = await Journal.read(settings)
    assert len(journal.entries) == 3
    assert journal.found == {}


async def test_a_limit_is_kept_and_the_next_run_goes_on(tmp_path, broker):
    settings = quick_settings(tmp_path, broker=broker.url)
    lines = [purchase("u", number, currency="EUR") for number in range(5)]
    await run_flow(settings, encoded([*lines, {"topic": "clicks", "key": "u", "raw": "x"}]))
    choice = Choice(reasons=["invalid"], topics=["clicks"], limit=3)
    assert await redrive(settings, choice) == {Standing.SENT: 3, Standing.OVER_LIMIT: 2}
    assert await redrive(settings, choice) == {Standing.SENT_BEFORE: 3, Standing.SENT: 2}
    sent = [orjson.loads(record.value)["event_id"] for record in await redriven(settings, "clicks")]
    assert sent == [f"p{number}" for number in range(5)], "a user's events go back in the order in which they came"


async def test_without_the_topics_nothing_is_made(tmp_path, broker):
    settings = quick_settings(tmp_path, broker=broker.url)
    with pytest.raises(BrokerError, match=r"expected a topic '.*reviews', found none: start a worker once"):
        await redrive(settings)
    assert (
        await partition_counts(
            settings, [topic_name(settings, "reviews"), topic_name(settings, "dead-letters"), journal_name(settings)]
        )
        == {}
    )


def letter(value=b"raw", place=(1, 9), **headers):
    """Read a letter with these headers, of three partitions."""
    record = SimpleNamespace(partition=place[0], offset=place[1], key=b"u", value=value)
    record.headers = [(name, str(text).encode()) for name, text in headers.items()]
    return read_letter(record, 3)


def test_a_letter_goes_to_the_partition_it_names_and_by_its_key_where_there_is_none():
    by_key = partition_of(b"u", 3, 0)
    elsewhere = (by_key + 1) % 3
    assert letter(topic="clicks", partition=elsewhere, offset=4).target == elsewhere
    assert letter(topic="clicks", partition=3, offset=4).target == by_key
    assert letter(topic="clicks").target == by_key
    assert letter(topic="clicks", partition="1 or so", offset="\u0663").record == ("clicks", None, None)


def test_two_letters_of_one_record_are_one_and_a_record_of_a_topic_made_anew_is_another():
    told = {"topic": "clicks", "partition": 1, "offset": 4}
    one = letter(**told)
    assert letter(place=(1, 10), **told).identity == one.identity
    assert letter(value=b"another", **told).identity != one.identity
    assert letter(topic="clicks", place=(1, 10)).identity != letter(topic="clicks", place=(1, 9)).identity


@pytest.mark.parametrize(
    ("told", "standing"),
    [
        ({"partition": 1}, Standing.INTERNAL),
        ({"partition": 1, "truncated": 9}, Standing.INTERNAL),
        ({"partition": -1}, Standing.NO_RECORD),
        # A shop may call a topic of its own so.
        ({"partition": 1, REKEYED: ""}, Standing.TO_SEND),
    ],
)
def test_only_a_record_of_the_facts_topic_is_internal(told, standing):
    found = letter(topic="item-facts", offset=4, **told)
    decide([found], (), None)
    assert found.standing is standing


async def wherewithal(settings, *words):
    """Run the command line beside the flow; return its exit code, standard output and standard error."""
    environment = os.environ | {
        "WHEREWITHAL_BROKER": settings.broker,
        "WHEREWITHAL_TOPIC_PREFIX": settings.topic_prefix,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams.cli.main", *words), env=environment, stdout=-1, stderr=-1
    )
    out, errors = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return process.returncode, out.decode(), errors.decode()


def test_without_a_cluster_the_command_says_what_it_needs(monkeypatch):
    monkeypatch.delenv("WHEREWITHAL_BROKER", raising=False)
    with pytest.raises(ConfigurationError, match="WHEREWITHAL_BROKER: expected kafka://host:port"):
        command.run(argparse.Namespace(reason=None, topic=None, limit=None, go=True, json=False))


@pytest.mark.parametrize("words", [["--reason", "boredom"], ["--topic", "dead-letters"], ["--limit", "0"]])
def test_arguments_that_mean_nothing_are_refused(words):
    parser = argparse.ArgumentParser(exit_on_error=False)
    command.add_arguments(parser)
    with pytest.raises(argparse.ArgumentError):
        parser.parse_args(words)
