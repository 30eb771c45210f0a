"""Assignments that begin and end at any moment: whatever overlaps, every state holds each event once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from support.encoders import HashEncoder
from support.group import TOPICS, TURNS, Group, HeldEnds, HeldPublisher, Log, Worker, inputs, read_from

from features.observation import Source
from streams.contract import CLICKS, SEARCHES
from streams.exceptions import BrokerError
from streams.inference.loading import Inference, load_inference
from streams.records.ndjson import partition_of
from streams.settings import WindowEdge, load_settings
from streams.telemetry.metrics import Metrics
from streams.worker import assignment as assignment_module
from streams.worker import engine as engine_module
from streams.worker.publishing import rounds as rounds_module
from streams.worker.republishing import strays as strays_module

BASE = 1_764_000_000_000
PARTITIONS = 2
USERS = {user: partition_of(user.encode(), PARTITIONS, 0) for user in ("u0", "u1", "u5", "u17")}


@pytest.fixture(scope="module")
def inference() -> Inference:
    return load_inference(load_settings(), Metrics(), HashEncoder())


@pytest.fixture
def group(inference: Inference, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Group]:
    """Have engines of this test speak to whichever group is in the list."""
    held: list[Group] = []

    async def checked(*_: Any) -> dict[int, int]:
        await held[0].gate()
        return {}

    async def watermarks(_: Any, partitions: Any) -> Any:
        return await HeldEnds(held[0]).of(partitions)

    monkeypatch.setattr(engine_module, "check_logs", checked)
    monkeypatch.setattr(engine_module, "high_watermarks", watermarks)
    monkeypatch.setattr(
        engine_module, "Publisher", lambda _, lease, told=lambda *_: None, __=None: HeldPublisher(held[0], lease, told)
    )
    monkeypatch.setattr(strays_module, "LogEnds", lambda _: HeldEnds(held[0]))
    monkeypatch.setattr(strays_module, "read_from", lambda _, starts: read_from(held[0], starts))
    # Of what settles in time the test decides by what it lets arrive before.
    monkeypatch.setattr(assignment_module, "DRAIN_S", 0.0)
    monkeypatch.setattr(rounds_module, "INTERVAL_S", 0.0)
    return held


class Rebalances(RuleBasedStateMachine):
    """Three workers of a group that share two partitions, suspended and told late at will."""

    held: list[Group]
    inference: Inference
    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.published: Counter[str] = Counter()
        self.clicked: Counter[str] = Counter()
        self.workers: list[Worker] = []
        self.steps: list[asyncio.Task[None]] = []

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        async def make() -> None:
            chosen = load_settings(state_dir=self.folder, window_edge=WindowEdge.EVENT, partitions=PARTITIONS)
            self.held[:] = [Group(chosen, self.inference, lambda: BASE)]
            self.workers = [Worker(self.held[0], name) for name in "abc"]

        self.run(make())

    @property
    def world(self) -> Group:
        return self.held[0]

    def turn(self, turns: int = TURNS, first: Callable[[], Any] = lambda: None) -> None:
        """Let tasks run for some turns of the event loop, after a call made inside it."""

        async def go() -> None:
            first()
            for _ in range(turns):
                await asyncio.sleep(0)

        self.run(go())

    @rule(topic=st.sampled_from(TOPICS), user=st.sampled_from(sorted(USERS)), events=st.integers(1, 3))
    def publish(self, topic: str, user: str, events: int) -> None:
        for _ in range(events):
            self.published[user] += 1
            self.clicked[user] += topic == CLICKS
            number = self.published[user]
            self.world.publish(topic, user, USERS[user], f"{user}-{number}", BASE + number)

    @rule(topics=st.sampled_from(((CLICKS,), (SEARCHES,), TOPICS)), most=st.integers(1, 4), departs=st.booleans())
    def deliver(self, topics: tuple[str, ...], most: int, departs: bool) -> None:
        """Hand records to whoever takes them for theirs; what that sends may leave at once, and arrive much later."""
        for worker in self.workers:
            for topic in topics:
                for number in range(PARTITIONS):
                    self.turn(first=partial(worker.deliver, topic, number, most))
        if departs:
            self.world.depart()

    @rule(choice=st.integers(0, 7), arrivals=st.integers(0, 3))
    def arrive(self, choice: int, arrivals: int) -> None:
        self.world.depart()
        for _ in range(arrivals):
            self.turn(first=partial(self.world.arrive, lambda length: choice % length))

    @rule(
        owners=st.lists(st.integers(0, 2), min_size=PARTITIONS, max_size=PARTITIONS),
        unheard=st.one_of(st.none(), st.integers(0, 2)),
        turns=st.integers(0, 8),
    )
    def rebalance(self, owners: list[int], unheard: int | None, turns: int) -> None:
        """Begin a generation; one worker may not hear of it, for its lease ran out before it was thrown out."""
        self.world.generation += 1
        generation = self.world.generation
        for position, worker in enumerate(self.workers):
            if position == unheard:
                worker.engine.assignment.lease._renewed_at = float("-inf")
                continue
            numbers = frozenset(number for number, owner in enumerate(owners) if owner == position)
            self.steps.append(self.loop.create_task(self.told(worker, generation, numbers)))
        # The next rebalance may begin before any of this is through.
        self.turn(turns)

    @rule(worker=st.integers(0, 2), turns=st.integers(0, 8))
    def rejoin(self, worker: int, turns: int) -> None:
        """Have a worker join again: while nothing else has changed it is given the same, in the same generation."""
        again = self.workers[worker]
        if again.generation == self.world.generation:
            self.steps.append(self.loop.create_task(self.told(again, again.generation, again.numbers)))
            self.turn(turns)

    async def told(self, worker: Worker, generation: int, numbers: frozenset[int]) -> None:
        async with worker.told:
            await worker.engine.release()
            if generation == self.world.generation:
                await worker.assign(generation, numbers)

    @rule(yes=st.booleans())
    def hold(self, yes: bool) -> None:
        self.world.holding = yes

    @rule(yes=st.booleans())
    def hold_titles(self, yes: bool) -> None:
        self.world.hold_titles(yes)

    @rule(choice=st.integers(0, 7), turns=st.integers(0, 5))
    def let_go(self, choice: int, turns: int) -> None:
        if self.world.waiting:
            gate = self.world.waiting.pop(choice % len(self.world.waiting))
            if not gate.done():
                gate.set_result(None)
        self.turn(turns)

    @rule(worker=st.integers(0, 2))
    def lose_the_store(self, worker: int) -> None:
        if not self.workers[worker].engine.partitions and not self.workers[worker].numbers:
            self.workers[worker].shelf.lose()

    @rule(worker=st.integers(0, 2))
    def swap(self, worker: int) -> None:
        self.workers[worker].engine.equipment.swap(self.inference.scoring)

    @rule(worker=st.integers(0, 2))
    def decay(self, worker: int) -> None:
        """Have everybody published again by the clock."""

        async def touch() -> None:
            for partition in self.workers[worker].engine.partitions.values():
                partition.refresh()

        self.run(touch())

    @invariant()
    def nobody_holds_what_is_not_theirs(self) -> None:
        for worker in self.workers:
            assignment = worker.engine.assignment
            assert not worker.failures
            assert worker.engine.partitions.keys() <= assignment.partitions.keys()
            assert assignment.partitions.keys() <= worker.numbers or not assignment.accepting
            if worker.engine.partitions:
                assert assignment.serial == worker.serial

    def teardown(self) -> None:
        try:
            if self.workers:
                self.settle()
                self.check()
        finally:
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.turn(5)
            self.loop.close()

    def settle(self) -> None:
        """Let everything go on, with one more rebalance of which everybody hears, until nothing is left to do."""
        self.world.holding = False
        for gate in self.world.waiting:
            if not gate.done():
                gate.set_result(None)
        self.turn()
        self.rebalance([0, 1], None, TURNS)
        # Not before: titles that wait over this rebalance come again with their clicks.
        self.world.hold_titles(False)
        # What had left before the last rebalance is somebody else's by now, and arrives all the same.
        for _ in range(200):
            for worker in self.workers:
                for topic, number in inputs(range(PARTITIONS)):
                    self.turn(5, partial(worker.deliver, topic, number, 5))
            self.turn()
            self.arrive(0, len(self.world.requests))
            if self.world.drained() and not self.world.requests:
                for worker in self.workers:
                    strays = worker.engine.assignment._strays
                    if strays is not None:
                        self.run(strays.look())
                self.turn()
                if not self.world.requests:
                    return
        raise AssertionError(f"not settled: {self.world.committed} of {dict(self.published)}")

    def check(self) -> None:
        changelog = self.world.changelog
        for number in range(PARTITIONS):
            log = self.world.logs[changelog, number]
            for kept in (log, log.compacted()):
                found = self.world.newest_states(number, kept)
                assert {user: state.revision for user, state in found.items() if state.revision} == {
                    user: count for user, count in self.published.items() if USERS[user] == number
                }
                for user, state in found.items():
                    if state.revision:
                        assert state.newest == BASE + self.published[user]
                        assert state.offsets[Source.CLICKS] < len(self.world.inputs[CLICKS, number])
                        # Each title counts 1 in the first place, times the weight of a view.
                        titles = 0.0 if state.taste.total is None else state.taste.total[0]
                        assert (state.waiting, titles) == ([], pytest.approx(0.25 * self.clicked[user]))
        served = {user: revision for user, (_, revision) in self.world.store.rows.items()}
        assert served == dict(self.published)


def test_every_event_counts_once_however_assignments_overlap(
    group: list[Group], inference: Inference, tmp_path: Path
) -> None:
    Rebalances.held, Rebalances.inference, Rebalances.folder = group, inference, tmp_path
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Rebalances,
        settings=settings(
            max_examples=200,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def driven(group: list[Group], inference: Inference, tmp_path: Path) -> Iterator[Rebalances]:
    """The same workers and logs, for a test that says itself what happens."""
    Rebalances.held, Rebalances.inference, Rebalances.folder = group, inference, tmp_path
    made = Rebalances()
    made.begin()
    yield made
    made.teardown()


def overtaken(driven: Rebalances) -> None:
    """The first worker's states leave it, and arrive when the second has long applied and published more."""
    driven.rebalance([0, 0], None, TURNS)
    for user in USERS:
        driven.publish(CLICKS, user, 2)
        driven.publish(SEARCHES, user, 1)
    driven.deliver((CLICKS,), 1, True)
    driven.world.depart()
    late, driven.world.requests = driven.world.requests, []
    assert {request.topic for request in late} == {driven.world.changelog}
    driven.rebalance([1, 1], 0, TURNS)
    while not driven.world.drained():
        driven.deliver(TOPICS, 4, True)
        driven.arrive(0, len(driven.world.requests))
    driven.world.requests = late
    driven.arrive(0, len(late))
    kept = [driven.world.newest_states(number, log) for number, log in compacted(driven.world)]
    assert min(state.revision for states in kept for state in states.values()) < 3, "compaction would keep the loser"


def compacted(group: Group) -> list[tuple[int, Log]]:
    return [(number, group.logs[group.changelog, number].compacted()) for number in range(PARTITIONS)]


def test_a_title_that_nobody_has_read_yet_comes_again_with_its_click(driven: Rebalances) -> None:
    driven.rebalance([0, 0], None, TURNS)
    driven.world.hold_titles(True)
    (user, number) = next(iter(USERS.items()))
    driven.publish(CLICKS, user, 3)
    driven.deliver((CLICKS,), 4, True)
    driven.arrive(0, len(driven.world.requests))
    while driven.world.requests:
        driven.arrive(0, len(driven.world.requests))
    (state,) = driven.world.newest_states(number, driven.world.logs[driven.world.changelog, number]).values()
    assert (state.revision, state.waiting) == (3, [0, 1, 2])
    assert driven.world.committed[CLICKS, number] == 0, "all is published, and nothing may be committed"
    # The end of the test gives the partition to somebody else, and counts each title once.
    driven.rebalance([1, 1], None, TURNS)


def test_a_title_whose_click_never_comes_again_is_waited_for_no_more(driven: Rebalances) -> None:
    driven.rebalance([0, 0], None, TURNS)
    driven.world.hold_titles(True)
    (user, number) = next(iter(USERS.items()))
    driven.publish(CLICKS, user, 2)
    driven.deliver((CLICKS,), 4, True)
    while driven.world.requests:
        driven.arrive(0, len(driven.world.requests))
    # As where retention has deleted them, and the worker may go on without.
    driven.world.committed[CLICKS, number] = 2
    driven.rebalance([1, 1], None, TURNS)
    driven.world.hold_titles(False)
    driven.decay(1)
    driven.turn()
    while driven.world.requests:
        driven.arrive(0, len(driven.world.requests))
    # The end of the test finds no title that waits, and none that counts.
    driven.clicked[user] = 0


def test_an_owner_that_finds_somebody_elses_states_in_its_log_writes_these_users_again(driven: Rebalances) -> None:
    overtaken(driven)
    # The end of the test looks for them, and compares what compaction leaves.
    driven.run(driven.workers[1].engine.assignment._strays.look())
    driven.turn()
    driven.arrive(0, len(driven.world.requests))
    driven.check()


def test_a_recovery_that_meets_outranked_states_has_these_users_written_again(driven: Rebalances) -> None:
    overtaken(driven)
    driven.rebalance([2, 2], None, TURNS)
    driven.arrive(0, len(driven.world.requests))
    driven.check()


def test_what_arrives_behind_a_later_owners_states_leaves_no_gap_in_the_local_store(driven: Rebalances) -> None:
    overtaken(driven)
    # What the first wrote late lies behind the second's states: the second goes on from there once it has looked.
    driven.run(driven.workers[1].engine.assignment._strays.look())
    driven.turn()
    driven.arrive(0, len(driven.world.requests))
    for number in range(PARTITIONS):
        progress = driven.workers[1].shelf.progress(number)
        assert progress.offset == driven.world.logs[driven.world.changelog, number].end - 1
        assert not progress.outranked
    # The first worker's own states are acknowledged, and it has none of the second's, which lie before them.
    driven.rebalance([0, 0], None, TURNS)
    driven.arrive(0, len(driven.world.requests))
    driven.check()


@pytest.mark.parametrize("seconds", [-5, 0, 1])
def test_what_arrives_late_of_the_assignment_before_a_rejoin_is_outranked_within_one_second(
    driven: Rebalances, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    now = [1_800_000_000.0]
    monkeypatch.setattr(assignment_module, "time", SimpleNamespace(time=lambda: now[0]))
    world = driven.world
    driven.rebalance([0, 0], None, TURNS)
    for _ in range(4):
        driven.publish(CLICKS, "u0", 1)
    driven.publish(SEARCHES, "u0", 1)
    driven.deliver((CLICKS,), 4, True)
    late, world.requests = world.requests, []
    assert {request.topic for request in late} == {world.changelog}
    now[0] += seconds
    driven.rejoin(0, TURNS)
    driven.deliver((SEARCHES,), 1, True)
    driven.deliver((CLICKS,), 1, True)
    for _ in range(6):
        driven.arrive(0, len(world.requests))
    world.requests = late
    driven.arrive(0, len(late))
    driven.run(driven.workers[0].engine.assignment._strays.look())
    driven.turn()
    for _ in range(4):
        driven.arrive(0, len(world.requests))
    driven.rebalance([1, 1], None, TURNS)
    driven.settle()
    driven.check()


def test_a_process_that_is_back_in_the_same_generation_outranks_the_one_before_whatever_its_clock_says(
    driven: Rebalances, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_800_000_000.0]
    monkeypatch.setattr(assignment_module, "time", SimpleNamespace(time=lambda: now[0]))
    driven.rebalance([0, 0], None, TURNS)
    worker = driven.workers[0]
    before = {number: partition.epoch for number, partition in worker.engine.partitions.items()}
    # Nothing is in the changelog, and what the process remembered went with it.
    worker.engine._epochs.clear()
    now[0] -= 600
    driven.rejoin(0, TURNS)
    after = {number: partition.epoch for number, partition in worker.engine.partitions.items()}
    assert after == {number: epoch + 1 for number, epoch in before.items()}


def test_a_recovery_of_an_assignment_before_a_rejoin_takes_nothing_over_in_the_same_generation(
    driven: Rebalances,
) -> None:
    driven.rebalance([0, 0], None, TURNS)
    worker = driven.workers[0]
    driven.hold(True)
    driven.rejoin(0, TURNS)
    generation, serial = worker.generation, worker.serial
    assert driven.run(worker.engine.take_over(serial - 1, {0, 1})) is False
    assert not worker.engine.partitions
    driven.hold(False)
    assert worker.generation == generation


def test_an_assignment_ends_once_however_often_it_is_asked_to(
    driven: Rebalances, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assignment_module, "DRAIN_S", 60.0)
    driven.rebalance([0, 0], None, TURNS)
    driven.publish(CLICKS, "u0", 1)
    driven.deliver((CLICKS,), 1, False)
    engine = driven.workers[0].engine
    assignment = engine.assignment

    async def ask_twice() -> list[bool]:
        asked = [asyncio.ensure_future(engine.release()) for _ in range(2)]
        for _ in range(TURNS):
            await asyncio.sleep(0)
        # It drains what was applied, which nobody acknowledges yet.
        done = [one.done() for one in asked]
        assert not assignment.lease.expired
        driven.world.depart()
        while driven.world.requests:
            driven.world.arrive(lambda _: 0)
            for _ in range(TURNS):
                await asyncio.sleep(0)
                driven.world.depart()
        await asyncio.gather(*asked)
        return done

    assert driven.run(ask_twice()) == [False, False]
    assert assignment.lease.expired
    assert not assignment.partitions
    # What was applied is settled: the event was acknowledged before the partition was let go.
    assert driven.world.committed[CLICKS, 0] == 1


def test_a_worker_that_leaves_takes_nothing_over_again(driven: Rebalances) -> None:
    driven.rebalance([0, 0], None, TURNS)
    worker = driven.workers[0]
    serial = worker.engine.assignment.serial
    driven.run(worker.engine.close())
    driven.rebalance([0, 0], None, TURNS)
    assert worker.engine.assignment.serial == serial
    assert not worker.engine.partitions
    assert not worker.engine.held.serving()
    # For the end of the test: somebody who works on.
    driven.workers[0] = Worker(driven.world, "d")


def test_foreign_records_are_looked_at_once_the_broker_answers_again(
    driven: Rebalances, monkeypatch: pytest.MonkeyPatch
) -> None:
    overtaken(driven)
    answers = iter([BrokerError("the broker does not answer"), KafkaTimeoutError()])

    def read_later(_: Any, starts: Any) -> Any:
        for error in answers:
            raise error
        return read_from(driven.world, starts)

    monkeypatch.setattr(strays_module, "read_from", read_later)
    monkeypatch.setattr(strays_module, "LOOK_S", 0.0)
    driven.run(driven.workers[1].engine.assignment._strays.look())
    driven.turn()
    driven.arrive(0, len(driven.world.requests))
    assert not driven.workers[1].failures
    driven.check()
