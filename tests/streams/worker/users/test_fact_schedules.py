"""Facts of owners that follow one another, with requests that land late: every item counts every event once."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence

from aiokafka.errors import KafkaTimeoutError
from hypothesis import given, settings
from hypothesis import strategies as st

from features.items.fact import Fact
from features.items.state import ItemState
from features.observation import Kind, Source
from streams.broker.publisher import Written
from streams.records.items.facts import FactBatch, decode
from streams.records.outgoing import Outgoing
from streams.worker.users.fact_sender import FactSender

PARTITIONS, SOURCES, OWNERS = 3, 2, 4
ITEMS = [f"item-{number}" for number in range(5)]


class Sent:
    """A request, and whether its owner hears that it was taken."""

    def __init__(self, heard: bool) -> None:
        self._heard = heard

    async def acknowledged(self) -> Written:
        await asyncio.sleep(0)
        if not self._heard:
            raise KafkaTimeoutError
        return Written(0, 0, 1)


class Broker:
    """Takes a request at once, or long after its owner has given it up, as the draw says."""

    def __init__(self, draw: st.DataObject) -> None:
        self._draw = draw
        self._late: list[tuple[int, list[FactBatch]]] = []
        self.logs: defaultdict[int, list[FactBatch]] = defaultdict(list)
        self.reliable = False

    async def send(self, topic: str, partition: int, records: Sequence[Outgoing]) -> Sent:
        batches = [batch for record in records if isinstance(batch := decode(record.value), FactBatch)]
        while self._late and self._draw.draw(st.booleans()):
            self.land()
        fate = "taken" if self.reliable else self._draw.draw(st.sampled_from(["taken", "taken", "unheard", "late"]))
        if fate == "late":
            self._late.append((partition, batches))
        else:
            self.logs[partition] += batches
        return Sent(fate == "taken")

    def land(self) -> bool:
        """Have one of the late requests taken, whichever; return whether there was one."""
        if not self._late:
            return False
        partition, batches = self._late.pop(self._draw.draw(st.integers(0, len(self._late) - 1)))
        self.logs[partition] += batches
        return True


async def own(broker: Broker, events: Sequence[Sequence[Fact]], done: list[int], draw: st.DataObject) -> None:
    """Send what the states of `done` lack, until a send fails or the process ends between two steps."""
    sender = FactSender("facts", PARTITIONS, "head@1", broker, lambda *_: None)  # type: ignore[arg-type]
    reached = list(done)
    while any(reached[source] < len(events[source]) for source in range(SOURCES)):
        ends = [min(len(events[source]), reached[source] + draw.draw(st.integers(1, 4))) for source in range(SOURCES)]
        sends = (sender.send(source, events[source][reached[source] : ends[source]]) for source in range(SOURCES))
        failed = [isinstance(one, KafkaTimeoutError) for one in await asyncio.gather(*sends, return_exceptions=True)]
        assert any(failed) == all(failed)
        reached = ends
        if not any(failed):
            # A process may end before its states are in the changelog, or with those of one partition alone.
            for source in range(SOURCES):
                if broker.reliable or draw.draw(st.sampled_from([True, True, False])):
                    done[source] = ends[source]
                else:
                    return
        elif draw.draw(st.booleans()):
            # One that was suspended goes on as if nothing had happened: of what it sends nothing may leave.
            return


@settings(max_examples=40, deadline=None)
@given(draw=st.data())
def test_every_event_counts_once_whatever_lands_late(draw: st.DataObject) -> None:
    events = [
        [
            Fact(int(Source.CLICKS), offset, item, 1_764_000_000_000 + offset, int(Kind.VIEW))
            for offset, item in enumerate(draw.draw(st.lists(st.sampled_from(ITEMS), max_size=12)))
        ]
        for _ in range(SOURCES)
    ]
    broker, done = Broker(draw), [0] * SOURCES
    for owner in range(OWNERS):
        broker.reliable = owner == OWNERS - 1
        asyncio.run(own(broker, events, done, draw))
    while broker.land():
        pass
    states: defaultdict[str, ItemState] = defaultdict(ItemState)
    for log in broker.logs.values():
        for offset, batch in enumerate(log):
            for fact in batch.facts:
                states[fact.item_id].apply(fact, batch.source_partition, batch.head, offset)
    counted = {item: state.revision for item, state in states.items()}
    assert counted == Counter(fact.item_id for source in events for fact in source)
