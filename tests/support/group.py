"""A consumer group in memory: logs, a group that hands out partitions, and workers whose every step waits for the test.

It stands for the broker, Faust and the network in tests of the engine: what a worker has sent may arrive at any later
time, a take-over can be held at each of its awaits, and a worker may be told of a rebalance long after the others.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import orjson
from aiokafka import ConsumerRecord, TopicPartition

from features.online import OnlineRow
from features.online.rows import Forget
from features.users.catalogue import PROFILE_WIDTH
from features.users.codec import decode, offsets_and_erasure, order
from features.users.state import UserState
from streams.broker.lease import Lease, LeaseLostError
from streams.broker.letters import Letters
from streams.broker.publisher import Publisher, Written
from streams.broker.throttling import Throttle
from streams.contract import CLICKS, DEAD_LETTERS, INPUTS, SEARCHES, changelog_name
from streams.inference.active_scorer import Served
from streams.inference.loading import Inference
from streams.inference.title_reader import TitleReader
from streams.records.observer import NOTHING_READ, Reading
from streams.records.outgoing import Outgoing
from streams.settings import Settings
from streams.telemetry.metrics import Metrics
from streams.telemetry.tally import Tally
from streams.worker.applying.held_partitions import HeldPartitions
from streams.worker.consuming.ledger import Ledger
from streams.worker.engine import Engine
from streams.worker.republishing.recovered_erasures import RecoveredErasures
from streams.worker.stage_spec import USERS
from streams.worker.state.local_store import Progress
from streams.worker.state.recovery_news import RecoveryNews
from streams.worker.users.emitter import Emitter
from streams.worker.users.user_equipment import UserEquipment

TOPICS = (CLICKS, SEARCHES)
LONG_S = 3600.0
TURNS = 60


def inputs(numbers: Iterable[int]) -> list[tuple[str, int]]:
    """The inputs of partitions."""
    return [(topic, number) for number in numbers for topic in TOPICS]


class Shelf:
    """A worker's local store, and what recovery takes into it."""

    def __init__(self) -> None:
        self._states: defaultdict[int, dict[bytes, bytes]] = defaultdict(dict)
        self._progress: dict[int, Progress] = {}

    def read(self, partition: int, key: bytes) -> bytes | None:
        return self._states[partition].get(key)

    def write(self, partition: int, states: Mapping[bytes, bytes], progress: Progress) -> None:
        self._states[partition].update(states)
        self._progress[partition] = progress

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        yield from list(self._states[partition].items())

    def progress(self, partition: int) -> Progress:
        return self._progress.get(partition) or Progress.of(len(INPUTS))

    def size(self, partition: int) -> tuple[int, int]:
        return len(self._states[partition]), 0

    def lose(self) -> None:
        """Forget everything, as a worker on a new machine has."""
        self._states.clear()
        self._progress.clear()

    def recover(self, partition: int, log: Log) -> None:
        """Take in what the changelog has beyond what is known."""
        progress = self.progress(partition)
        states: dict[bytes, bytes] = {}
        for offset, key, value in log.records:
            if offset <= progress.offset or value is None:
                continue
            known = states.get(key) or self.read(partition, key)
            if known is None or order(value) >= order(known):
                states[key] = value
                progress = progress.onward(offset, order(value)[0], [offsets_and_erasure(value)[0]])
            else:
                progress = progress.onward(offset, order(value)[0], [])
                progress = msgspec.structs.replace(progress, outranked=(*progress.outranked, key))
        self.write(partition, states, progress)


@dataclass
class Log:
    """One partition of a topic."""

    records: list[tuple[int, bytes, bytes | None]] = field(default_factory=list)
    end: int = 0

    def append(self, batch: Iterable[tuple[bytes, bytes | None]]) -> int:
        first = self.end
        for key, value in batch:
            self.records.append((self.end, key, value))
            self.end += 1
        return first

    def compacted(self) -> Log:
        """The log with the last record of each key."""
        last = {key: offset for offset, key, _ in self.records}
        return Log([record for record in self.records if last[record[1]] == record[0]], self.end)


@dataclass
class Request:
    """What a producer has sent and the broker has not taken yet."""

    topic: str
    partition: int
    records: Sequence[Outgoing]
    lease: Lease
    answer: asyncio.Future[Written]
    on_written: Callable[[str, int, int, int], None]
    departed: bool = False


class HeldSent:
    """A send whose acknowledgement comes when the test says."""

    def __init__(self, request: Request) -> None:
        self._request = request

    async def acknowledged(self) -> Written:
        return await asyncio.shield(self._request.answer)


class HeldPublisher:
    """A producer whose requests arrive when the test says, and leave only under its lease."""

    def __init__(self, group: Group, lease: Lease, on_written: Callable[[str, int, int, int], None]) -> None:
        self._group = group
        self._lease = lease
        self._on_written = on_written
        self._mine: list[Request] = []

    async def start(self) -> None:
        await self._group.gate()

    async def send(self, topic: str, partition: int, records: Sequence[Outgoing]) -> HeldSent:
        answer: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        request = Request(topic, partition, list(records), self._lease, answer, self._on_written)
        if records:
            self._mine.append(request)
            self._group.requests.append(request)
        else:
            answer.set_result(Written(-1, -1, 0))
        return HeldSent(request)

    async def abandon(self) -> None:
        for request in self._mine:
            if not request.departed and request in self._group.requests:
                self._group.requests.remove(request)
                request.answer.cancel()


class FencedStore:
    """The online store and its writer: at once, and the greatest fence wins."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[tuple[int, int, int], int]] = {}

    def put(self, changes: Iterable[OnlineRow | Forget]) -> asyncio.Future[None]:
        for change in changes:
            known = self.rows.get(change.user_id)
            if known is None or change.fence > known[0]:
                self.rows[change.user_id] = change.fence, getattr(change, "revision", 0)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


class Message:
    def __init__(self, partition: int, serial: int) -> None:
        self.partition = partition
        self.generation_id = serial
        self.value: Any = None


class Event:
    """A batch as Faust delivers it."""

    def __init__(self, worker: Worker, topic: str, partition: int, value: list[ConsumerRecord]) -> None:
        self.message = Message(partition, worker.serial)
        self._topic = topic
        self.value: Any = value
        self._worker = worker
        self._last = value[-1].offset

    def ack(self) -> None:
        if self.message.generation_id == self._worker.serial:
            self._worker.acknowledge(self._topic, self.message.partition, self._last)


class Unread:
    """In place of the encoder: every text is taken for empty, at a later turn."""

    async def read(self, texts: Sequence[str]) -> list[Reading]:
        await asyncio.sleep(0)
        return [NOTHING_READ] * len(texts)


class Titles:
    """In place of the encoder of titles: each is read when the test lets it, and counts 1 in the first place."""

    def __init__(self, group: Group) -> None:
        self._group = group

    async def read(self, texts: Sequence[str]) -> list[Reading]:
        while self._group.holding_titles:
            held: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._group.unread.append(held)
            await held
        await asyncio.sleep(0)
        return [Reading(noisy=False, projected=np.eye(1, PROFILE_WIDTH)[0]) for _ in texts]


class Untaken:
    """In place of what asks broker and store about things that these tests do not touch."""

    async def starts(self, *_: object) -> dict[TopicPartition, int]:
        return {}

    def begin(self, *_: object) -> None:
        """Nobody was published by a clock that was ahead, and the store lacks nobody."""

    def stop(self) -> None:
        """Nothing was begun."""


class Unwatched:
    """In place of whatever is told of what is served."""

    def served(self, served: Served) -> None:
        """Nothing is compared or counted."""

    def erased(self, user_id: str) -> None:
        """Nothing is kept of a user."""

    def released(self) -> None:
        """Nothing is kept of anybody."""


class Worker:
    """One engine, what the group has given it, and where its lanes are in the log."""

    def __init__(self, group: Group, name: str) -> None:
        self.name = name
        self.group = group
        self.shelf = Shelf()
        self.failures: list[BaseException] = []
        self.serial = 0
        self.generation = -1
        self.numbers: frozenset[int] = frozenset()
        self.positions: dict[tuple[str, int], int] = {}
        self.ledgers: defaultdict[tuple[str, int], Ledger] = defaultdict(Ledger)
        self.taking_over: asyncio.Task[bool] | None = None
        self.told = asyncio.Lock()
        """A member is told of one rebalance after the other."""
        held, watchers = HeldPartitions(), Unwatched()
        equipment = UserEquipment(
            settings=group.settings,
            inference=group.inference,
            # None of its records is refused.
            letters=Letters(Publisher(group.settings), DEAD_LETTERS),
            online=group.store,  # type: ignore[arg-type]
            reader=Unread(),  # type: ignore[arg-type]
            # So few are remembered that most titles wait.
            titles=TitleReader(Titles(group), 1, Metrics()),  # type: ignore[arg-type]
            emitter=Emitter(group.inference.encoder, group.inference.scoring, lambda: None, watchers),
            tally=Tally(Metrics(), keep_latencies=False),
            metrics=Metrics(),
            throttle=Throttle(),
            clock=group.clock,
        )
        self.engine = Engine(
            group.settings,
            USERS,
            member=self,
            held=held,
            losses=Untaken(),  # type: ignore[arg-type]
            erasures=RecoveredErasures(group.settings, lambda: held.partitions, self.failures.append),
            resetter=Untaken(),  # type: ignore[arg-type]
            refiller=Untaken(),  # type: ignore[arg-type]
            news=RecoveryNews(Metrics(), USERS.name),
            on_released=watchers.released,
            on_failure=self.failures.append,
        )
        self.engine.equip(equipment)

    @property
    def states(self) -> Shelf:
        return self.shelf

    def acknowledge(self, topic: str, number: int, last: int) -> None:
        """Take the acknowledgement of a batch, and commit as far as the ledger says."""
        self.ledgers[topic, number].acknowledge(last)
        self._commit(topic, number)

    def hold(self, serial: int, number: int, first: int | None) -> None:
        """Commit clicks no further than the first whose title waits."""
        if serial == self.serial:
            self.ledgers[CLICKS, number].hold(first)
            self._commit(CLICKS, number)

    def _commit(self, topic: str, number: int) -> None:
        committable = self.ledgers[topic, number].committable
        if committable is not None:
            self.group.commit(topic, number, self.generation, committable)

    def rejoin(self) -> None:
        """The test says when it joins again."""

    async def begin_at(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Every input begins at 0."""

    async def assign(self, generation: int, numbers: frozenset[int]) -> None:
        """Be told of a new assignment, recover it, and begin to take it over."""
        self.serial += 1
        serial = self.serial
        await self.engine.begin(serial, generation, Lease(LONG_S, time.monotonic()))
        self.generation, self.numbers, self.positions = generation, numbers, {}
        self.ledgers.clear()
        for number in numbers:
            self.shelf.recover(number, self.group.logs[self.group.changelog, number])
        self.taking_over = asyncio.create_task(self._take_over(serial, numbers))

    async def _take_over(self, serial: int, numbers: frozenset[int]) -> bool:
        taken = await self.engine.take_over(serial, numbers)
        if taken and self.serial == serial:
            self.positions = {(topic, number): self.group.committed[topic, number] for topic, number in inputs(numbers)}
        return taken

    async def committed(self, numbers: Collection[int]) -> Mapping[TopicPartition, int]:
        await self.group.gate()
        return {TopicPartition(*one): self.group.committed[one] for one in inputs(numbers)}

    def deliver(self, topic: str, number: int, most: int) -> None:
        """Hand over the next records of an input, if its partition is taken over."""
        position = self.positions.get((topic, number))
        if position is None:
            return
        log = self.group.inputs[topic, number][position : position + most]
        if log:
            self.positions[topic, number] = position + len(log)
            self.ledgers[topic, number].deliver(log)
            self.engine.submit(topic, Event(self, topic, number, log))


class Group:
    """Workers and the logs that they share."""

    def __init__(self, settings: Settings, inference: Inference, clock: Callable[[], int]) -> None:
        self.settings = settings
        self.inference = inference
        self.clock = clock
        self.changelog = changelog_name(settings)
        self.logs: defaultdict[tuple[str, int], Log] = defaultdict(Log)
        self.inputs: defaultdict[tuple[str, int], list[ConsumerRecord]] = defaultdict(list)
        self.committed: defaultdict[tuple[str, int], int] = defaultdict(int)
        self.requests: list[Request] = []
        self.waiting: list[asyncio.Future[None]] = []
        self.holding = False
        self.unread: list[asyncio.Future[None]] = []
        self.holding_titles = False
        self.generation = 0
        self.owners: dict[int, Worker] = {}
        self.store = FencedStore()

    async def gate(self) -> None:
        """Wait, while the test holds whoever waits, until it lets go."""
        if self.holding:
            gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.waiting.append(gate)
            await gate
        else:
            await asyncio.sleep(0)

    def hold_titles(self, yes: bool) -> None:
        """Have titles wait from now on, or be read."""
        self.holding_titles = yes
        if not yes:
            held, self.unread = self.unread, []
            for one in held:
                if not one.done():
                    one.set_result(None)

    def commit(self, topic: str, partition: int, generation: int, offset: int) -> None:
        """Take a commit of a member of this generation; others are refused, as a broker does."""
        if generation == self.generation:
            self.committed[topic, partition] = max(self.committed[topic, partition], offset)

    def publish(self, topic: str, user_id: str, number: int, event_id: str, timestamp: int) -> None:
        """Append a click or a search to its input."""
        value: dict[str, Any] = {"event_id": event_id, "user_id": user_id, "timestamp": timestamp}
        title = f"item {timestamp % 3}"
        value |= {"item_id": "i", "action": "view", "title": title} if topic == CLICKS else {"query": "q"}
        log = self.inputs[topic, number]
        log.append(
            ConsumerRecord(topic, number, len(log), timestamp, 0, user_id.encode(), orjson.dumps(value), None, 1, 1, ())
        )

    def drained(self) -> bool:
        """Whether every input is committed to its end."""
        return all(self.committed[one] == len(log) for one, log in self.inputs.items())

    def depart(self) -> None:
        """Have every request that waits in a producer pass its lease or fail by it, first tries as well as others."""
        for request in list(self.requests):
            if request.departed:
                continue
            try:
                request.lease.check()
            except LeaseLostError as error:
                self.requests.remove(request)
                if not request.answer.done():
                    request.answer.set_exception(error)
                    request.answer.exception()
            else:
                request.departed = True

    def arrive(self, choose: Callable[[int], int]) -> None:
        """Have one request arrive: of a partition of a producer they keep their order."""
        firsts: dict[Any, Request] = {}
        for request in self.requests:
            if request.departed:
                firsts.setdefault((request.topic, request.partition, id(request.lease)), request)
        if firsts:
            request = list(firsts.values())[choose(len(firsts))]
            self.requests.remove(request)
            batch = [(record.key or b"", record.value) for record in request.records]
            first = self.logs[request.topic, request.partition].append(batch)
            if not request.answer.done():
                request.answer.set_result(Written(first, first + len(batch) - 1, len(batch)))
                request.on_written(request.topic, request.partition, first, len(batch))

    def newest_states(self, number: int, log: Log) -> dict[str, UserState]:
        """What a worker without a local store recovers from a changelog."""
        shelf = Shelf()
        shelf.recover(number, log)
        return {key.decode(): decode(state) for key, state in shelf.items(number)}


class HeldEnds:
    """In place of `streams.broker.topics.log_ends.LogEnds`: the ends of the logs of a group."""

    def __init__(self, group: Group) -> None:
        self._group = group

    async def __aenter__(self) -> HeldEnds:
        return self

    async def __aexit__(self, *_: object) -> None:
        """There is nothing to close."""

    async def of(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        await self._group.gate()
        return {tp: self._group.logs[tp.topic, tp.partition].end for tp in partitions}


async def read_from(group: Group, starts: Mapping[TopicPartition, int]) -> AsyncIterator[list[ConsumerRecord]]:
    """In place of `streams.broker.reading.read_from`."""
    for tp, start in starts.items():
        await asyncio.sleep(0)
        yield [
            ConsumerRecord(tp.topic, tp.partition, offset, 0, 0, key, value, None, 1, 1, ())
            for offset, key, value in group.logs[tp.topic, tp.partition].records
            if offset >= start
        ]
