"""Facts change items: each once, whoever sends it how often; titles are read behind them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pytest
from support.patience import PATIENCE_S

from features.items.codec import decode, encode
from features.items.fact import Fact
from features.items.state import ItemState
from features.observation import Kind, Source
from features.online.rows import Forget as Removal
from features.online.rows import ItemRow
from models.exceptions import EncoderUnavailableError
from streams.broker.publisher import Written
from streams.contract import FACTS, ITEM_SIGNALS
from streams.records.items.facts import FactBatch, Forecast, Forget, Message, NewerFactsError
from streams.records.items.facts import encode as encode_message
from streams.records.observer import Reading
from streams.records.outgoing import Outgoing
from streams.records.placement import MisplacedKeyError
from streams.records.rejection import Reason, Rejection
from streams.telemetry.metrics import Metrics
from streams.telemetry.tally import Tally
from streams.worker.applying import patience
from streams.worker.items.emitter import ItemEmitter
from streams.worker.items.fact_handler import FactHandler
from streams.worker.items.item_partition import ItemPartition
from streams.worker.items.risk_watch import RiskWatch
from streams.worker.items.workshop import Workshop
from streams.worker.publishing.outlets import Outlets
from streams.worker.publishing.rounds import Rounds
from streams.worker.republishing.sweeping import Passed, Sweep
from streams.worker.state.local_store import Progress

BASE = 1_764_000_000_000
CHANGELOG, ENCODER, HEAD = "items-changelog", "enc@2", "polarity@1"


class Taken:
    """A send that the broker has taken."""

    def __init__(self, records: int) -> None:
        self.records = records

    async def acknowledged(self) -> Written:
        return Written(0, self.records - 1, self.records)


class Log:
    """A publisher, an online writer, a local store and the finder of topics: all take everything, in one order."""

    def __init__(self, states: Mapping[str, ItemState] | None = None) -> None:
        self.taken: list[tuple[str, Any]] = []
        self.states = {item.encode(): encode(state) for item, state in (states or {}).items()}

    async def name(self, topic: str, partition: int, lease: object) -> str:
        return topic

    async def send(self, topic: str, partition: int, records: Sequence[Outgoing]) -> Taken:
        self.taken += [(topic, record) for record in records]
        return Taken(len(records))

    def put(self, changes: Iterable[ItemRow | Removal]) -> asyncio.Future[None]:
        self.taken += [("rows", change) for change in changes]
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def read(self, partition: int, key: bytes) -> bytes | None:
        return self.states.get(key)

    def write(self, partition: int, states: Mapping[bytes, bytes], progress: Progress) -> None:
        self.states.update(states)

    def items(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        yield from list(self.states.items())

    def progress(self, partition: int) -> Progress:
        return Progress(applied=(-1,))

    def of(self, topic: str) -> list[Any]:
        return [what for where, what in self.taken if where == topic]

    def signals(self) -> list[dict[str, Any] | None]:
        return [None if record.value is None else orjson.loads(record.value) for record in self.of(ITEM_SIGNALS)]


class Titles:
    """Reads titles when the test lets it; `remembered` are known at once."""

    at_once = 2

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.remembered: set[str] = set()
        self.read_titles: list[str] = []
        self.down = False

    def known(self, title: str) -> Reading | None:
        return self._reading(title) if title in self.remembered else None

    async def read(self, titles: Sequence[str]) -> dict[str, Reading]:
        if self.down:
            raise EncoderUnavailableError("down")
        await self.open.wait()
        self.read_titles += titles
        return {title: self._reading(title) for title in titles}

    @staticmethod
    def _reading(title: str) -> Reading:
        return Reading(title == "noise", None if title == "noise" else np.full(64, float(len(title))))


class Stage:
    """The items of the only partition, and the handler of its facts."""

    def __init__(self, log: Log, titles: Titles, waiting_titles: int = 100) -> None:
        self.log = log
        self.metrics = Metrics()
        self.tally = Tally(self.metrics, keep_latencies=False)
        self.failures: list[BaseException] = []
        self.letters: list[tuple[Any, Rejection]] = []
        self.emitter = ItemEmitter(ENCODER, HEAD, lambda: None, RiskWatch(self.metrics))
        outlets: Any = Outlets(
            changelog=CHANGELOG,
            topics=log,
            publisher=log,  # type: ignore[arg-type]
            online=log,  # type: ignore[arg-type]
            rounds=Rounds(self.emitter),
            published={ITEM_SIGNALS: self.tally.signalled},
            stored=lambda _: None,
            lease=SimpleNamespace(check=lambda: None),  # type: ignore[arg-type]
            on_failure=self.failures.append,
        )
        workshop = Workshop(
            encoder=ENCODER,
            titles=titles,  # type: ignore[arg-type]
            metrics=self.metrics,
            waiting_titles=waiting_titles,
            on_encoder=lambda _, down: setattr(self.emitter, "encoder_down", down),
            on_failure=self.failures.append,
        )
        self.partition = ItemPartition(
            0, 7, log, outlets, workshop=workshop, cached=lambda: 4, partitions=1, on_applied=None
        )
        self.handler = FactHandler(
            self.partition,
            letters=self,  # type: ignore[arg-type]
            tally=self.tally,
            metrics=self.metrics,
            partitions=1,
            slice_facts=2,
        )

    async def post(self, origin: Any, key: Any, value: Any, rejection: Rejection, partition: int) -> None:
        self.letters.append((origin, rejection))

    async def take(self, *values: Message | bytes, first: int = 0) -> None:
        """Handle messages as records from an offset on, and wait until all is published."""
        records: Any = [
            SimpleNamespace(
                key=None,
                value=value if isinstance(value, bytes) else encode_message(value),
                partition=0,
                offset=first + number,
                timestamp=BASE,
            )
            for number, value in enumerate(values)
        ]
        await self.handler.handle(records)
        await asyncio.wait_for(self.partition.settled(), PATIENCE_S)

    def waiting_titles(self) -> float | None:
        return self.metrics.registry.get_sample_value("wherewithal_waiting_item_titles", {"partition": "0"})

    async def rest(self) -> None:
        """Wait until all titles are read and what came of them is published."""
        await asyncio.wait_for(self.partition.titles.rest(), PATIENCE_S)
        await asyncio.wait_for(self.partition.settled(), PATIENCE_S)


@asynccontextmanager
async def stage(log: Log, titles: Titles | None = None, **given: int) -> AsyncIterator[Stage]:
    made = Stage(log, titles or Titles(), **given)
    try:
        yield made
        assert not made.failures
    finally:
        await asyncio.wait_for(made.partition.stop(), PATIENCE_S)


def fact(offset: int, item: str = "i", title: str | None = None, **fields: Any) -> Fact:
    return Fact(int(Source.CLICKS), offset, item, BASE + offset, int(Kind.VIEW), title=title, **fields)


def batch(*facts: Fact, source: int = 0) -> FactBatch:
    return FactBatch(source, HEAD, list(facts))


async def test_the_changelog_holds_an_item_before_its_signal_and_row_leave() -> None:
    log = Log()
    async with stage(log) as made:
        await made.take(batch(fact(0), fact(1), fact(2, "j")))
        assert [where for where, _ in log.taken] == [CHANGELOG, CHANGELOG, ITEM_SIGNALS, ITEM_SIGNALS, "rows", "rows"]
        (signal, _), (row, _) = log.signals(), log.of("rows")
        assert signal is not None
        assert signal["revision"] == row.revision == decode(log.states[b"i"]).revision == 2
        assert (signal["item_id"], signal["life"], signal["views_30d"], signal["event_time"]) == ("i", 0, 2, BASE + 1)
        assert signal["model"] == {"polarity": HEAD, "encoder": ENCODER}
        assert made.tally.facts_applied == 3
        assert made.tally.signals_out == 2


async def test_facts_that_were_sent_again_change_nothing_and_publish_their_item_again() -> None:
    log = Log()
    async with stage(log) as made:
        await made.take(batch(fact(0), fact(5)))
        log.taken.clear()
        await made.take(batch(fact(0), fact(5)), batch(fact(5)), first=0)
        assert [where for where, _ in log.taken] == [ITEM_SIGNALS, "rows"]
        await made.take(batch(fact(3), fact(5), fact(6)), first=9)
        last = log.signals()[-1]
        assert last is not None
        assert last["revision"] == 3
        assert made.tally.facts_applied == 3


async def test_places_are_kept_apart_by_source_partition() -> None:
    log = Log()
    async with stage(log) as made:
        made.handler._partitions = 3
        await made.take(*(batch(fact(7), source=source) for source in (2, 0, 1)))
        await made.take(*(batch(fact(7), source=source) for source in (0, 1, 2)), first=3)
        assert decode(log.states[b"i"]).revision == 3


async def test_what_is_no_message_becomes_a_dead_letter_and_holds_nothing_up() -> None:
    log = Log()
    async with stage(log) as made:
        await made.take(batch(fact(0)), b"\x01junk", b"", batch(fact(1), source=1), batch(fact(1)))
        assert [(origin, found.reason) for origin, found in made.letters] == [
            ((FACTS, 0, offset), Reason.MALFORMED) for offset in (1, 2, 3)
        ]
        assert decode(log.states[b"i"]).revision == 2


async def test_a_fact_that_no_event_can_give_is_refused_alone_and_holds_up_no_later_one_of_its_item() -> None:
    log = Log()
    async with stage(log) as made:
        await made.take(batch(fact(0), fact(1, units=-1), fact(2, "j"), fact(3, price=-1.0), fact(4)))
        ((origin, rejection),) = made.letters
        assert (origin, rejection.reason) == ((FACTS, 0, 0), Reason.MALFORMED)
        assert "2 (clicks/0/1), 4 (clicks/0/3)" in rejection.detail
        assert {item: decode(log.states[item.encode()]).revision for item in "ij"} == {"i": 2, "j": 1}
        assert made.tally.facts_applied == 3
        refused = made.metrics.registry.get_sample_value("wherewithal_facts_refused_total")
        assert refused == 2


async def test_nothing_is_kept_of_a_batch_of_a_partition_that_there_is_none_of() -> None:
    log = Log()
    async with stage(log) as made:
        await made.take(batch(fact(0), source=1), batch(fact(0), fact(1, units=-1), source=1))
        assert [rejection.detail for _, rejection in made.letters] == [
            "expected facts of a partition below 1, found 1"
        ] * 2
        assert not log.states
        assert made.tally.facts_applied == 0


async def test_a_message_of_a_newer_release_is_not_passed_over() -> None:
    async with stage(Log()) as made:
        with pytest.raises(NewerFactsError):
            await made.take(b"\x63anything")


async def test_a_fact_in_the_wrong_partition_is_refused() -> None:
    async with stage(Log()) as made:
        made.partition._partitions, made.partition.number = 16, 15
        with pytest.raises(MisplacedKeyError):
            await made.take(batch(fact(0, "i"), fact(1, "j")))
        made.partition.number = 0


async def test_a_title_that_is_remembered_is_taken_in_with_its_fact() -> None:
    log, titles = Log(), Titles()
    titles.remembered = {"Shoe"}
    async with stage(log, titles) as made:
        await made.take(batch(fact(0, title="Shoe")))
        (signal,) = log.signals()
        assert signal is not None
        np.testing.assert_allclose(signal["title_vector"], np.full(64, 0.125))
        await made.rest()
        assert not titles.read_titles


async def test_counts_do_not_wait_for_a_title_and_the_item_goes_out_again_once_it_is_read() -> None:
    log, titles = Log(), Titles()
    async with stage(log, titles) as made:
        await made.take(batch(fact(0, title="Shoe"), fact(1, "j", title="noise"), fact(2, "k", title="")))
        first = {signal["item_id"]: signal for signal in log.signals() if signal}
        assert {item: not any(signal["title_vector"]) for item, signal in first.items()} == dict.fromkeys("ijk", True)
        titles.open.set()
        await made.rest()
        last = {signal["item_id"]: signal for signal in log.signals() if signal}
        assert any(last["i"]["title_vector"])
        assert not any(last["j"]["title_vector"])
        assert {item: signal["revision"] for item, signal in last.items()} == dict.fromkeys("ijk", 1)
        assert last["i"]["emitted_at"] > first["i"]["emitted_at"]
        assert sorted(titles.read_titles) == ["Shoe", "noise"]
        assert not decode(log.states[b"i"]).title_waits(ENCODER)


async def test_a_metric_tells_how_many_titles_wait_and_none_once_all_are_read() -> None:
    log, titles = Log({f"unread-{number}": stored(f"title {number}", None) for number in range(3)}), Titles()
    async with stage(log, titles) as made:
        await made.take(batch(fact(0, title="Shoe"), fact(1, "j", title="Sock")))
        assert made.waiting_titles() == 2
        titles.open.set()
        await made.rest()
        assert made.waiting_titles() == 0


async def test_a_title_that_changed_while_it_was_read_is_read_anew() -> None:
    log, titles = Log(), Titles()
    async with stage(log, titles) as made:
        await made.take(batch(fact(0, title="Old")))
        await made.take(batch(fact(1, title="Newer")), first=1)
        titles.open.set()
        await made.rest()
        state = decode(log.states[b"i"])
        assert (state.title, state.title_waits(ENCODER)) == ("Newer", False)
        assert titles.read_titles[-1] == "Newer"


async def test_a_forgotten_item_is_published_again_as_gone_and_one_of_which_nothing_came_not_at_all() -> None:
    gone = stored("Shoe", ENCODER)
    gone.forget(1)
    log, passed = Log({"gone": gone, "kept": stored("Sock", ENCODER)}), list[Passed]()
    async with stage(log) as made:
        await made.take(Forecast("unknown", BASE, {}), first=2)
        sweep = Sweep(lambda: {0: made.partition}, None, passed.append, erased=True)
        assert await sweep.everybody(made.partition)
    assert passed == [Passed(living=1, erased=1)]
    assert {record.key: record.value is None for record in log.of(ITEM_SIGNALS)} == {b"gone": True, b"kept": False}
    assert {change.key: type(change) for change in log.of("rows")} == {"gone": Removal, "kept": ItemRow}


def stored(title: str, read_by: str | None) -> ItemState:
    state = ItemState()
    state.apply(fact(0, title=title), 0, HEAD, 0)
    if read_by is not None:
        state.read_title(title, np.ones(64), read_by)
    return state


async def test_who_takes_a_partition_over_reads_the_titles_that_are_unread_or_of_another_encoder() -> None:
    unread = {f"unread-{number}": stored(f"title {number}", None) for number in range(150)}
    others = {"of another": stored("read by another", "enc@1"), "read": stored("read by this one", ENCODER)}
    log, titles = Log(unread | others), Titles()
    titles.open.set()
    async with stage(log, titles) as made:
        await made.rest()
        assert sorted(titles.read_titles) == sorted([*(f"title {number}" for number in range(150)), "read by another"])
        assert not any(decode(state).title_waits(ENCODER) for state in log.states.values())
        assert {record.key.decode() for record in log.of(ITEM_SIGNALS)} == (unread | others).keys() - {"read"}


async def test_more_unread_titles_than_are_remembered_are_found_in_the_states() -> None:
    log, titles = Log(), Titles()
    async with stage(log, titles, waiting_titles=3) as made:
        await made.take(batch(*(fact(number, f"item-{number}", f"title {number}") for number in range(40))))
        titles.open.set()
        await made.rest()
        assert sorted(set(titles.read_titles)) == sorted(f"title {number}" for number in range(40))
        assert not any(decode(state).title_waits(ENCODER) for state in log.states.values())


async def test_nobody_waits_for_the_titles_of_a_partition_that_was_let_go() -> None:
    async with stage(Log()) as made:
        await made.take(batch(fact(0, title="Shoe")))
        resting = asyncio.create_task(made.partition.titles.rest())
        await asyncio.sleep(0)
        assert not resting.done()
    await asyncio.wait_for(resting, PATIENCE_S)


class SlowLog(Log):
    """A log whose changelog takes nothing until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()

    async def send(self, topic: str, partition: int, records: Sequence[Outgoing]) -> Taken:
        if topic == CHANGELOG:
            await self.open.wait()
        return await super().send(topic, partition, records)


async def test_unread_titles_are_found_though_the_local_store_does_not_hold_their_items_yet() -> None:
    log, titles = SlowLog(), Titles()
    titles.open.set()
    async with stage(log, titles, waiting_titles=1) as made:
        await made.rest()
        taking = asyncio.create_task(
            made.take(batch(*(fact(number, f"item-{number}", f"title {number}") for number in range(100))))
        )
        async with asyncio.timeout(PATIENCE_S):
            while made.tally.facts_applied < 100:
                await asyncio.sleep(0)
            await made.partition.titles.rest()
        assert len(set(titles.read_titles)) == 100
        log.open.set()
        await taking
        await made.rest()
        assert not any(decode(state).title_waits(ENCODER) for state in log.states.values())


async def test_while_the_encoder_is_down_counts_go_on_and_records_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.001)
    log, titles = Log(), Titles()
    titles.down = True
    titles.open.set()
    async with stage(log, titles) as made:
        await made.take(batch(fact(0, title="Shoe")))
        async with asyncio.timeout(PATIENCE_S):
            while not made.emitter.encoder_down:
                await asyncio.sleep(0.001)
        await made.take(batch(fact(1, "j")), first=1)
        assert [signal["degraded"] for signal in log.signals() if signal] == [False, True]
        titles.down = False
        await made.rest()
        last = log.signals()[-1]
        assert last is not None
        assert (last["item_id"], last["degraded"]) == ("i", False)


async def test_an_item_is_forgotten_and_a_request_that_comes_again_removes_again() -> None:
    log = Log()
    async with stage(log) as made:
        await made.take(batch(fact(0)), Forget("i"))
        assert log.signals()[-1] is None
        assert isinstance(log.of("rows")[-1], Removal)
        log.taken.clear()
        await made.take(Forget("i"), first=1)
        assert [where for where, _ in log.taken] == [ITEM_SIGNALS, "rows"], "the state is not written again"
        await made.take(batch(fact(0)), first=2)
        assert log.signals()[-1] is None, "a fact from before is a repetition"
        await made.take(batch(fact(1)), first=3)
        last = log.signals()[-1]
        assert last is not None
        assert (last["revision"], last["views_30d"]) == (1, 1)


async def test_a_forgotten_item_is_removed_again_where_all_are_published_again() -> None:
    log = Log()
    async with stage(log) as made:
        await made.take(batch(fact(0), fact(1, "j")), Forget("i"))
        log.taken.clear()
        found: list[Passed] = []
        sweep = Sweep(lambda: {0: made.partition}, None, found.append, erased=True)
        assert await asyncio.wait_for(sweep.everybody(made.partition), PATIENCE_S)
        assert found == [Passed(living=1, erased=1)]
        assert {type(row) for row in log.of("rows")} == {ItemRow, Removal}
        assert sum(signal is None for signal in log.signals()) == 1


async def test_a_forecast_is_served_with_its_age_and_an_older_one_changes_nothing() -> None:
    log = Log()
    async with stage(log) as made:
        await made.take(batch(fact(0)), Forecast("i", BASE - 86_400_000, {"units_7d": 3.5}))
        last = log.signals()[-1]
        assert last is not None
        assert last["demand"]["forecast"] == {"units_7d": 3.5, "made_at": BASE - 86_400_000, "age_days": 1.0}
        written = len(log.of(CHANGELOG))
        await made.take(Forecast("i", BASE - 90_000_000, {}), Forecast("unknown", BASE, {}), first=2)
        assert len(log.of(CHANGELOG)) == written
