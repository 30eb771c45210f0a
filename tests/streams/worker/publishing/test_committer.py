"""Group commit: what is acknowledged when, in front of outlets whose answers come when the test says."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
import pytest
from aiokafka.errors import KafkaTimeoutError
from support.artefacts import capacity_artefact
from support.encoders import HashEncoder
from support.group import Unwatched
from support.patience import PATIENCE_S

from features.observation import Kind, Observation, Source
from features.online import OnlineRow
from features.online.rows import Forget
from features.users.catalogue import NAMES
from features.users.codec import decode
from features.users.entity import USER
from features.users.state import UserState
from streams.broker.lease import Lease, LeaseLostError
from streams.broker.publisher import Written
from streams.contract import CAPACITY, CLICKS, SCORES
from streams.inference.active_capacity import Estimating
from streams.inference.loading import Inference, load_inference
from streams.records.outgoing import Outgoing
from streams.settings import load_settings
from streams.telemetry.metrics import Metrics
from streams.telemetry.tally import Tally
from streams.worker.publishing.committer import GROUP_KEYS, GROUPS_IN_FLIGHT, Committer
from streams.worker.publishing.outlets import Outlets
from streams.worker.publishing.rounds import Rounds
from streams.worker.state.local_store import Progress
from streams.worker.users.emitter import Emitter

CHANGELOG = "changelog"
PARTITION, EPOCH = 3, 7
BASE = 1_760_000_000_000


class Sending:
    """A send that is acknowledged, or fails, when the test says."""

    def __init__(self, topic: str, records: Sequence[Outgoing], first: int) -> None:
        self.topic = topic
        self.records = records
        self.written = Written(first, first + len(records) - 1, len(records))
        self.answer: asyncio.Future[Written] = asyncio.get_running_loop().create_future()

    def acknowledge(self) -> None:
        self.answer.set_result(self.written)

    async def acknowledged(self) -> Written:
        return await asyncio.shield(self.answer)


class HeldPublisher:
    """Acknowledges nothing by itself, but for the topics in `open`."""

    def __init__(self) -> None:
        self.sent: dict[str, list[Sending]] = {CHANGELOG: [], SCORES: [], CAPACITY: []}
        self.open: set[str] = set()
        self._ends = {CHANGELOG: 0, SCORES: 0, CAPACITY: 0}

    async def send(self, topic: str, partition: int, records: Sequence[Outgoing]) -> Sending:
        assert partition == PARTITION
        sending = Sending(topic, records, self._ends[topic])
        self._ends[topic] += len(records)
        self.sent[topic].append(sending)
        if topic in self.open:
            sending.acknowledge()
        return sending


class HeldOnline:
    """An online writer whose puts are done when the test says, or at once while `open`."""

    def __init__(self) -> None:
        self.puts: list[tuple[list[OnlineRow | Forget], asyncio.Future[None]]] = []
        self.open = False

    def put(self, changes: Iterable[OnlineRow | Forget]) -> asyncio.Future[None]:
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.puts.append((list(changes), stored))
        if self.open:
            stored.set_result(None)
        return stored


class Shelf:
    """A local store in a dictionary."""

    def __init__(self) -> None:
        self.states: dict[bytes, bytes] = {}
        self.known = Progress.of(len(Source))

    def read(self, partition: int, key: bytes) -> bytes | None:
        return self.states.get(key)

    def write(self, partition: int, states: Mapping[bytes, bytes], progress: Progress) -> None:
        self.states.update(states)
        self.known = progress

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        yield from self.states.items()

    def progress(self, partition: int) -> Progress:
        return self.known

    def size(self, partition: int) -> tuple[int, int]:
        return len(self.states), sum(map(len, self.states.values()))


class Bench:
    """A committer between a publisher, an online writer and a local store of the test."""

    def __init__(self, inference: Inference) -> None:
        self.publisher = HeldPublisher()
        self.online = HeldOnline()
        self.shelf = Shelf()
        self.lease = Lease(3600.0, time.monotonic())
        self.failures: list[BaseException] = []
        self.tally = Tally(Metrics(), keep_latencies=True)
        self._offsets = itertools.count()
        self.states: dict[str, UserState] = {}
        self.capacity_topic: str | None = None
        self.emitter = Emitter(inference.encoder, inference.scoring, lambda: None, Unwatched(), inference.estimating)
        outlets: Any = Outlets(
            changelog=CHANGELOG,
            topics=self,
            publisher=self.publisher,  # type: ignore[arg-type]
            online=self.online,  # type: ignore[arg-type]
            rounds=Rounds(self.emitter),
            published={SCORES: self.tally.scored, CAPACITY: lambda _, records: self.tally.estimated(records)},
            stored=self.tally.stored,
            lease=self.lease,
            on_failure=self.failures.append,
        )
        self.committer = Committer(USER, PARTITION, EPOCH, self.shelf, outlets)

    async def name(self, topic: str, partition: int, lease: Lease) -> str | None:
        """Answer for `Topics`."""
        return self.capacity_topic if topic == CAPACITY else topic

    def view(self, user_id: str) -> UserState:
        """Apply a view of a user and touch them."""
        state = self.states.setdefault(user_id, UserState())
        number = next(self._offsets)
        state.apply(
            Observation(
                kind=Kind.VIEW,
                source=Source.CLICKS,
                offset=number,
                timestamp=BASE + number,
                event_key=number.to_bytes(8),
            ),
            "encoder",
        )
        self.committer.applied(user_id, state, CLICKS, state.offsets[Source.CLICKS], BASE)
        return state

    @property
    def changelog(self) -> list[Sending]:
        return self.publisher.sent[CHANGELOG]

    @property
    def scores(self) -> list[Sending]:
        return self.publisher.sent[SCORES]

    @property
    def capacity(self) -> list[Sending]:
        return self.publisher.sent[CAPACITY]

    async def group(self, number: int) -> None:
        """Wait until the group of this number, its changelog acknowledged, has sent scores and rows."""
        await until(lambda: len(self.changelog) > number)
        if not self.changelog[number].answer.done():
            self.changelog[number].acknowledge()
        await until(lambda: len(self.online.puts) > number)


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not reached():
            await asyncio.sleep(0)


async def turns() -> None:
    """Let everything that can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture(scope="module")
def inference() -> Inference:
    return load_inference(load_settings(), Metrics(), HashEncoder())


@pytest.fixture(scope="module")
def estimating(inference: Inference) -> Inference:
    found = Estimating.of(capacity_artefact().serving(NAMES, inference.encoder), inference.encoder, True)
    return replace(inference, estimating=found)


@asynccontextmanager
async def bench(inference: Inference) -> AsyncIterator[Bench]:
    made = Bench(inference)
    try:
        yield made
    finally:
        await asyncio.wait_for(made.committer.stop(), PATIENCE_S)


@pytest.mark.parametrize("first", ["score", "row"])
async def test_a_touch_is_settled_when_changelog_score_and_row_are_acknowledged(
    inference: Inference, first: str
) -> None:
    async with bench(inference) as made:
        made.view("u")
        settled = made.committer.settled()
        await until(lambda: bool(made.changelog))
        assert not made.scores, "nothing is published before the changelog holds the state"
        assert not made.online.puts
        assert not settled.done()
        await made.group(0)
        answers: list[Callable[[], None]] = [
            made.scores[0].acknowledge,
            lambda: made.online.puts[0][1].set_result(None),
        ]
        for answer in answers if first == "score" else reversed(answers):
            await turns()
            assert not settled.done()
            answer()
        await asyncio.wait_for(settled, PATIENCE_S)
        assert not made.failures


async def test_a_touch_is_settled_no_sooner_than_its_capacity_is_acknowledged(estimating: Inference) -> None:
    async with bench(estimating) as made:
        made.capacity_topic = CAPACITY
        made.view("u")
        settled = made.committer.settled()
        await until(lambda: bool(made.changelog))
        assert not made.capacity, "nothing is published before the changelog holds the state"
        await made.group(0)
        made.scores[0].acknowledge()
        made.online.puts[0][1].set_result(None)
        await turns()
        assert not settled.done()
        made.capacity[0].acknowledge()
        await asyncio.wait_for(settled, PATIENCE_S)
        assert made.tally.scores_out == 1, "records of capacity are no scores"


@pytest.mark.parametrize("there", [True, False])
async def test_where_no_capacity_is_estimated_only_an_erasure_goes_to_a_topic_that_is_left(
    inference: Inference, there: bool
) -> None:
    async with bench(inference) as made:
        made.capacity_topic = CAPACITY if there else None
        made.publisher.open = {CHANGELOG, SCORES, CAPACITY}
        made.online.open = True
        made.view("u")
        await asyncio.wait_for(made.committer.settled(), PATIENCE_S)
        assert not made.capacity
        made.committer.touch("u", UserState(), changed=True, erased=True)
        await asyncio.wait_for(made.committer.settled(), PATIENCE_S)
        sent = [record for sending in made.capacity for record in sending.records]
        assert [(record.key, record.value) for record in sent] == ([(b"u", None)] if there else [])


async def test_the_local_store_holds_a_state_only_once_the_changelog_does(inference: Inference) -> None:
    async with bench(inference) as made:
        state = made.view("u")
        await until(lambda: bool(made.changelog))
        await turns()
        assert made.shelf.states == {}
        assert made.shelf.known == Progress.of(len(Source))
        made.changelog[0].acknowledge()
        await until(lambda: bool(made.online.puts))
        assert decode(made.shelf.states[b"u"]).revision == state.revision == 1
        assert (made.shelf.known.offset, made.shelf.known.epoch) == (made.changelog[0].written.last, EPOCH)
        assert made.shelf.known.applied[Source.CLICKS] == 0


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_the_order_of_the_answers_a_batch_is_settled_with_the_last_of_its_groups(
    inference: Inference, seed: int
) -> None:
    async with bench(inference) as made:
        waiters = []
        for number in range(6):
            made.view(f"u{number % 4}")
            waiters.append(made.committer.settled())
            await made.group(number)
        left = dict.fromkeys(range(6), 2)
        answers = [
            (number, answer)
            for number in range(6)
            for answer in (
                made.scores[number].acknowledge,
                lambda put=made.online.puts[number]: put[1].set_result(None),
            )
        ]
        random.Random(seed).shuffle(answers)
        for number, answer in answers:
            answer()
            left[number] -= 1
            await turns()
            settled = [all(left[before] == 0 for before in range(position + 1)) for position in range(6)]
            assert [waiter.done() for waiter in waiters] == settled


async def test_a_batch_that_touched_nobody_is_settled_with_what_came_before_it(inference: Inference) -> None:
    async with bench(inference) as made:
        assert made.committer.settled().done(), "there is nothing to wait for"
        made.view("u")
        settled = made.committer.settled()
        await turns()
        assert not settled.done()
        made.publisher.open = {CHANGELOG, SCORES}
        made.changelog[0].acknowledge()
        made.online.open = True
        await asyncio.wait_for(settled, PATIENCE_S)
        assert made.committer.settled().done()


async def test_a_later_touch_does_not_hold_back_an_earlier_batch(inference: Inference) -> None:
    async with bench(inference) as made:
        made.view("u")
        early = made.committer.settled()
        await made.group(0)
        made.view("u")
        late = made.committer.settled()
        await until(lambda: len(made.changelog) == 2)
        made.scores[0].acknowledge()
        made.online.puts[0][1].set_result(None)
        await asyncio.wait_for(early, PATIENCE_S)
        assert not late.done()


async def test_no_group_is_larger_than_its_bound_and_nobody_is_left_out(inference: Inference) -> None:
    async with bench(inference) as made:
        made.publisher.open = {CHANGELOG, SCORES}
        made.online.open = True
        users = [f"u{number}" for number in range(2 * GROUP_KEYS + 1)]
        for user in users:
            made.view(user)
        await asyncio.wait_for(made.committer.settled(), PATIENCE_S)
        assert [len(sending.records) for sending in made.changelog] == [GROUP_KEYS, GROUP_KEYS, 1]
        assert sorted(made.shelf.states) == sorted(user.encode() for user in users)
        assert {record.key for sending in made.scores for record in sending.records} == set(made.shelf.states)


async def test_groups_that_nobody_acknowledges_are_bounded_and_touches_gather_meanwhile(inference: Inference) -> None:
    async with bench(inference) as made:
        made.publisher.open = {CHANGELOG, SCORES}
        for number in range(GROUPS_IN_FLIGHT):
            made.view(f"u{number}")
            await made.group(number)
        for number in range(50):
            made.view(f"late{number}")
            await turns()
        assert len(made.online.puts) == GROUPS_IN_FLIGHT
        made.online.puts[5][1].set_result(None)
        await until(lambda: len(made.online.puts) == GROUPS_IN_FLIGHT + 1)
        assert len(made.online.puts[-1][0]) == 50
        await turns()
        assert len(made.online.puts) == GROUPS_IN_FLIGHT + 1


async def test_a_users_changelog_records_are_in_the_order_of_their_changes(inference: Inference) -> None:
    async with bench(inference) as made:
        made.publisher.open = {SCORES}
        made.online.open = True
        draw = random.Random(1)
        for number in range(40):
            for _ in range(draw.randrange(1, 5)):
                made.view(f"u{draw.randrange(3)}")
            await made.group(number)
        records = [record for sending in made.changelog for record in sending.records]
        for user, state in made.states.items():
            revisions = [decode(value).revision for key, value, _ in records if key == user.encode() and value]
            assert revisions == sorted(set(revisions))
            assert revisions[-1] == state.revision
        published = [orjson.loads(record.value or b"") for sending in made.scores for record in sending.records]
        for user in made.states:
            ranks = [(score["revision"], score["emitted_at"]) for score in published if score["user_id"] == user]
            assert ranks == sorted(set(ranks))


async def test_a_group_holds_one_state_row_and_score_per_user_as_they_were_when_it_was_taken(
    inference: Inference,
) -> None:
    async with bench(inference) as made:
        for _ in range(10):
            made.view("u")
        await until(lambda: bool(made.changelog))
        made.view("u")
        await made.group(0)
        (state,), (score,), (row,) = made.changelog[0].records, made.scores[0].records, made.online.puts[0][0]
        assert state.value is not None
        assert score.value is not None
        assert isinstance(row, OnlineRow)
        assert decode(state.value).revision == orjson.loads(score.value)["revision"] == row.revision == 10


async def test_a_user_who_has_not_changed_is_published_again_without_a_changelog_record(inference: Inference) -> None:
    async with bench(inference) as made:
        state = made.view("u")
        await made.group(0)
        made.committer.touch("u", state, changed=False)
        settled = made.committer.settled()
        await until(lambda: len(made.online.puts) == 2)
        assert len(made.changelog) == 1
        assert [record.key for record in made.scores[1].records] == [b"u"]
        for sending, (_, stored) in zip(made.scores, made.online.puts, strict=True):
            sending.acknowledge()
            stored.set_result(None)
        await asyncio.wait_for(settled, PATIENCE_S)


async def test_users_are_busy_until_their_group_is_done(inference: Inference) -> None:
    async with bench(inference) as made:
        made.view("one")
        assert made.committer.busy() == {"one"}
        await made.group(0)
        made.view("two")
        await until(lambda: len(made.changelog) == 2)
        assert made.committer.busy() == {"one", "two"}
        made.scores[0].acknowledge()
        made.online.puts[0][1].set_result(None)
        await turns()
        assert made.committer.busy() == {"two"}


async def test_a_group_that_cannot_be_taken_settles_nothing(
    inference: Inference, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(state: UserState) -> bytes:
        raise OverflowError("a state that cannot be encoded")

    async with bench(inference) as made:
        with monkeypatch.context() as patched:
            patched.setattr(made.committer, "_encode", refuse)
            made.view("lost")
            settled = made.committer.settled()
            await until(lambda: bool(made.failures))
        made.view("other")
        later = made.committer.settled()
        await turns()
        assert not settled.done()
        assert not later.done()
        assert made.committer.busy() == {"lost", "other"}


@pytest.mark.parametrize("topic", [CHANGELOG, SCORES])
async def test_a_broker_that_takes_no_record_ends_the_assignment_and_settles_nothing(
    inference: Inference, topic: str
) -> None:
    async with bench(inference) as made:
        made.online.open = True
        made.publisher.open = {CHANGELOG, SCORES} - {topic}
        made.view("u")
        settled = made.committer.settled()
        await until(lambda: bool(made.publisher.sent[topic]))
        error = KafkaTimeoutError()
        made.publisher.sent[topic][0].answer.set_exception(error)
        await until(lambda: bool(made.failures))
        assert made.failures == [error]
        assert not settled.done()
        assert (b"u" in made.shelf.states) == (topic == SCORES)


async def test_without_the_lease_nothing_is_sent(inference: Inference) -> None:
    async with bench(inference) as made:
        made.lease._renewed_at = float("-inf")
        made.view("u")
        settled = made.committer.settled()
        await until(lambda: bool(made.failures))
        assert isinstance(made.failures[0], LeaseLostError)
        assert made.publisher.sent == {CHANGELOG: [], SCORES: [], CAPACITY: []}
        assert not made.online.puts
        assert not settled.done()


async def test_a_lease_lost_while_the_changelog_was_awaited_keeps_scores_and_rows_back(inference: Inference) -> None:
    async with bench(inference) as made:
        made.view("u")
        await until(lambda: bool(made.changelog))
        made.lease._renewed_at = float("-inf")
        made.changelog[0].acknowledge()
        await until(lambda: bool(made.failures))
        assert isinstance(made.failures[0], LeaseLostError)
        assert not made.scores
        assert not made.online.puts


async def test_stopping_cancels_whoever_waits_and_sends_nothing_more(inference: Inference) -> None:
    made = Bench(inference)
    made.view("u")
    settled = made.committer.settled()
    await until(lambda: bool(made.changelog))
    await asyncio.wait_for(made.committer.stop(), PATIENCE_S)
    assert settled.cancelled()
    made.changelog[0].acknowledge()
    await turns()
    assert not made.scores
    assert not made.shelf.states
    assert not made.failures


async def test_an_event_is_counted_as_scored_when_its_score_is_acknowledged(inference: Inference) -> None:
    async with bench(inference) as made:
        made.view("u")
        await made.group(0)
        made.online.puts[0][1].set_result(None)
        await turns()
        assert made.tally.scores_out == 0
        made.scores[0].acknowledge()
        await until(lambda: made.tally.scores_out == 1)
        assert made.tally.latency_percentiles()["p50"] is not None


class HeldFacts:
    """Takes facts, and acknowledges them when the test says, or at once while `open`."""

    def __init__(self) -> None:
        self.sent: list[tuple[list[int], asyncio.Future[None]]] = []
        self.open = False

    async def send(self, partition: int, facts: Sequence[int]) -> None:
        assert partition == PARTITION
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sent.append((list(facts), answer))
        if self.open:
            answer.set_result(None)
        await answer


def telling(made: Bench) -> HeldFacts:
    """Have a bench send facts."""
    facts = HeldFacts()
    made.committer._out = replace(made.committer._out, facts=facts)
    return facts


def tell(made: Bench, user_id: str, fact: int) -> None:
    """Apply a view of a user that gives a fact."""
    made.view(user_id)
    made.committer.tell(fact)


async def test_facts_are_acknowledged_before_any_state_leaves(inference: Inference) -> None:
    async with bench(inference) as made:
        facts = telling(made)
        tell(made, "u", 1)
        await until(lambda: bool(facts.sent))
        await turns()
        assert not made.changelog
        assert not made.online.puts
        facts.sent[0][1].set_result(None)
        await until(lambda: bool(made.changelog))
        assert not made.scores, "nothing is published before the changelog holds the state"


async def test_facts_leave_in_their_order_however_the_groups_are_split(inference: Inference) -> None:
    async with bench(inference) as made:
        facts, draw = telling(made), random.Random(3)
        facts.open = made.online.open = True
        made.publisher.open = {CHANGELOG, SCORES}
        number = itertools.count()
        for _ in range(5):
            for _ in range(GROUP_KEYS + draw.randrange(GROUP_KEYS)):
                tell(made, f"u{draw.randrange(2 * GROUP_KEYS)}", next(number))
            await turns()
        await asyncio.wait_for(made.committer.settled(), PATIENCE_S)
        assert len(made.changelog) > 5, "groups were split"
        assert [fact for sent, _ in facts.sent for fact in sent] == list(range(next(number)))


async def test_a_group_takes_the_facts_of_users_who_are_left_for_the_next(inference: Inference) -> None:
    async with bench(inference) as made:
        facts = telling(made)
        for number in range(GROUP_KEYS + 10):
            tell(made, f"u{number}", number)
        await until(lambda: bool(facts.sent))
        assert len(facts.sent[0][0]) == GROUP_KEYS + 10
        facts.sent[0][1].set_result(None)
        await until(lambda: bool(made.changelog))
        assert len(made.changelog[0].records) == GROUP_KEYS


async def test_after_facts_that_failed_nothing_more_of_the_partition_leaves(inference: Inference) -> None:
    async with bench(inference) as made:
        facts = telling(made)
        made.publisher.open, made.online.open = {CHANGELOG, SCORES}, True
        tell(made, "u", 1)
        settled = made.committer.settled()
        await until(lambda: bool(facts.sent))
        error = KafkaTimeoutError()
        facts.sent[0][1].set_exception(error)
        await until(lambda: bool(made.failures))
        facts.open = True
        tell(made, "u", 2)
        tell(made, "v", 3)
        await turns()
        assert made.failures == [error]
        assert len(facts.sent) == 1
        assert made.publisher.sent == {CHANGELOG: [], SCORES: [], CAPACITY: []}
        assert made.shelf.states == {}
        assert not made.online.puts
        assert not settled.done()


async def test_a_lease_lost_while_facts_were_awaited_keeps_the_states_back(inference: Inference) -> None:
    async with bench(inference) as made:
        facts = telling(made)
        tell(made, "u", 1)
        await until(lambda: bool(facts.sent))
        made.lease._renewed_at = float("-inf")
        facts.sent[0][1].set_result(None)
        await until(lambda: bool(made.failures))
        assert isinstance(made.failures[0], LeaseLostError)
        assert not made.changelog


async def test_who_is_published_again_sends_no_fact(inference: Inference) -> None:
    async with bench(inference) as made:
        facts = telling(made)
        facts.open = made.online.open = True
        made.publisher.open = {CHANGELOG, SCORES}
        state = made.view("u")
        await asyncio.wait_for(made.committer.settled(), PATIENCE_S)
        made.committer.touch("u", state, changed=False)
        await asyncio.wait_for(made.committer.settled(), PATIENCE_S)
        assert not facts.sent


async def test_no_state_leaves_that_may_hold_an_event_whose_fact_was_never_made(inference: Inference) -> None:
    async with bench(inference) as made:
        facts = telling(made)
        facts.open = made.online.open = True
        made.publisher.open = {CHANGELOG, SCORES}
        made.view("u")
        error = MemoryError()
        made.committer.not_told(error)
        await until(lambda: bool(made.failures))
        assert made.failures == [error]
        assert made.publisher.sent == {CHANGELOG: [], SCORES: [], CAPACITY: []}
        assert made.shelf.states == {}
