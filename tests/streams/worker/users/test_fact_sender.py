"""Facts on their way out: collated, in the order of their places, and none after a failure."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence

import pytest
from aiokafka.errors import KafkaTimeoutError
from support.patience import PATIENCE_S

from features.items.fact import Fact
from features.observation import Kind, Source
from streams.broker.publisher import Written
from streams.records.items.facts import FactBatch, decode
from streams.records.outgoing import Outgoing
from streams.records.placement import partition_of_key
from streams.worker.users import fact_sender
from streams.worker.users.fact_sender import FactSender

PARTITIONS = 4


class Sending:
    """A send that is acknowledged, or fails, when the test says."""

    def __init__(self, partition: int, records: Sequence[Outgoing]) -> None:
        self.partition = partition
        self.batches = [decode(record.value) for record in records]
        self.answer: asyncio.Future[Written] = asyncio.get_running_loop().create_future()

    async def acknowledged(self) -> Written:
        return await asyncio.shield(self.answer)


class Broker:
    """A publisher that answers when the test says, or at once while `open`."""

    def __init__(self) -> None:
        self.sent: list[Sending] = []
        self.open = True

    async def send(self, topic: str, partition: int, records: Sequence[Outgoing]) -> Sending:
        assert topic == "facts"
        sending = Sending(partition, records)
        self.sent.append(sending)
        if self.open:
            sending.answer.set_result(Written(0, 0, len(records)))
        return sending

    def places(self) -> dict[tuple[int, str], list[tuple[int, int]]]:
        """By source partition and item: the places of the facts that were sent, in the order of their log."""
        found: defaultdict[tuple[int, str], list[tuple[int, int]]] = defaultdict(list)
        for sending in self.sent:
            for batch in sending.batches:
                assert isinstance(batch, FactBatch)
                assert batch.head == "head@1"
                for fact in batch.facts:
                    assert partition_of_key(fact.item_id.encode(), PARTITIONS) == sending.partition
                    found[batch.source_partition, fact.item_id].append((fact.topic, fact.offset))
        return found


def fact(offset: int, item: str, title: str | None = None) -> Fact:
    return Fact(int(Source.CLICKS), offset, item, 1_764_000_000_000, int(Kind.VIEW), title=title)


def sender(broker: Broker, acknowledged: list[tuple[int, int, int]] | None = None) -> FactSender:
    def count(source: int, place: int, facts: Sequence[Fact]) -> None:
        if acknowledged is not None:
            acknowledged.extend((source, place, fact.offset) for fact in facts)

    return FactSender("facts", PARTITIONS, "head@1", broker, count)  # type: ignore[arg-type]


async def turns() -> None:
    """Let everything that can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)


ITEMS = [f"item-{number}" for number in range(40)]


async def test_facts_of_one_round_leave_in_one_request_for_each_partition_and_one_record_for_each_source() -> None:
    broker = Broker()
    sending = sender(broker)
    await asyncio.gather(
        *(sending.send(source, [fact(offset, item) for offset, item in enumerate(ITEMS)]) for source in range(8))
    )
    assert sorted(one.partition for one in broker.sent) == list(range(PARTITIONS))
    for one in broker.sent:
        sources = [batch.source_partition for batch in one.batches if isinstance(batch, FactBatch)]
        assert sources == list(range(8))


async def test_every_fact_is_sent_once_in_the_order_of_its_places_and_then_counted() -> None:
    broker, draw = Broker(), random.Random(7)
    acknowledged: list[tuple[int, int, int]] = []
    sending = sender(broker, acknowledged)
    expected: defaultdict[tuple[int, str], list[tuple[int, int]]] = defaultdict(list)
    for round_ in range(20):
        groups = []
        for source in draw.sample(range(5), draw.randrange(1, 5)):
            facts = [fact(100 * round_ + number, draw.choice(ITEMS)) for number in range(draw.randrange(1, 30))]
            for one in facts:
                expected[source, one.item_id].append((one.topic, one.offset))
            groups.append(sending.send(source, facts))
        await asyncio.gather(*groups)
    assert broker.places() == expected
    assert len(acknowledged) == len(set(acknowledged)) == sum(map(len, expected.values()))


async def test_nobody_goes_on_before_every_partition_has_acknowledged() -> None:
    broker = Broker()
    broker.open = False
    acknowledged: list[tuple[int, int, int]] = []
    waiting = asyncio.create_task(sender(broker, acknowledged).send(3, [fact(1, item) for item in ITEMS]))
    await turns()
    assert len(broker.sent) == PARTITIONS
    for one in broker.sent:
        assert not waiting.done()
        assert len(acknowledged) < len(ITEMS)
        one.answer.set_result(Written(0, 0, 1))
        await turns()
    await waiting
    assert len(acknowledged) == len(ITEMS)


@pytest.mark.parametrize("failing", range(PARTITIONS))
async def test_after_a_failure_on_one_partition_nothing_more_is_sent_to_any(failing: int) -> None:
    broker = Broker()
    broker.open = False
    acknowledged: list[tuple[int, int, int]] = []
    sending = sender(broker, acknowledged)
    waiting = asyncio.gather(*(sending.send(source, [fact(1, item) for item in ITEMS]) for source in (0, 1)))
    await turns()
    error = KafkaTimeoutError()
    for one in broker.sent:
        if one.partition == failing:
            one.answer.set_exception(error)
        else:
            one.answer.set_result(Written(0, 0, 1))
    with pytest.raises(KafkaTimeoutError):
        await waiting
    assert {place for _, place, _ in acknowledged} == set(range(PARTITIONS)) - {failing}
    before = len(broker.sent)
    for source in (0, 1, 2):
        with pytest.raises(KafkaTimeoutError):
            await sending.send(source, [fact(2, item) for item in ITEMS])
    assert len(broker.sent) == before


async def test_facts_that_cannot_be_written_do_not_pass_for_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def encode(batch: FactBatch) -> bytes:
        raise MemoryError

    broker = Broker()
    sending = sender(broker)
    with monkeypatch.context() as patch:
        patch.setattr(fact_sender, "encode", encode)
        with pytest.raises(MemoryError):
            await sending.send(0, [fact(1, "i")])
    with pytest.raises(MemoryError):
        await sending.send(0, [fact(2, "i")])
    assert not broker.sent


async def test_facts_for_which_one_request_is_too_small_follow_one_another_and_stop_where_one_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fact_sender, "REQUEST_BYTES", 2000)
    broker = Broker()
    broker.open = False
    waiting = asyncio.create_task(sender(broker).send(0, [fact(offset, "i", "t" * 150) for offset in range(100)]))
    for number in range(3):
        await turns()
        assert len(broker.sent) == number + 1, "the next request waits for the answer to the one before"
        broker.sent[-1].answer.set_result(Written(0, 0, 1))
    await turns()
    broker.sent[-1].answer.set_exception(KafkaTimeoutError())
    with pytest.raises(KafkaTimeoutError):
        await waiting
    assert len(broker.sent) == 4
    ((_, places),) = broker.places().items()
    assert places == [(int(Source.CLICKS), offset) for offset in range(len(places))]
    assert 10 < len(places) < 100


async def test_a_fact_that_is_larger_than_a_request_leaves_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fact_sender, "REQUEST_BYTES", 500)
    broker = Broker()
    await sender(broker).send(0, [fact(1, "i"), fact(2, "i", "t" * 1000), fact(3, "i")])
    assert [len(batch.facts) for one in broker.sent for batch in one.batches if isinstance(batch, FactBatch)] == [1] * 3
    assert list(broker.places().values()) == [[(int(Source.CLICKS), offset) for offset in (1, 2, 3)]]


async def test_one_who_is_told_to_stop_takes_nothing_from_the_others() -> None:
    broker = Broker()
    broker.open = False
    sending = sender(broker)
    leaving, staying = (asyncio.create_task(sending.send(source, [fact(1, "i")])) for source in (0, 1))
    await turns()
    leaving.cancel()
    await turns()
    broker.sent[0].answer.set_result(Written(0, 0, 2))
    await asyncio.wait_for(staying, PATIENCE_S)
    assert leaving.cancelled()


async def test_items_whose_place_is_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fact_sender, "KNOWN_PLACES", 10)
    broker = Broker()
    sending = sender(broker)
    for offset in range(10):
        await sending.send(0, [fact(10 * offset + number, f"{offset}-{number}") for number in range(10)])
        assert len(sending._places) <= 20
    assert len(broker.places()) == 100
