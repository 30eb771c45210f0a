"""A flow whose dead letters are sent back."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from aiokafka import ConsumerRecord

from models.encoder.bert import Encoder
from streams.broker.reading import read_topic
from streams.cli.replay import LEAD_RECORDS, feed
from streams.contract import topic_name
from streams.operating.drain import Drain
from streams.operating.redriving.letters import Choice, Standing
from streams.operating.redriving.redrive import Redrive
from streams.operating.summary import summarise
from streams.settings import Settings
from streams.worker.flow import Flow
from support.encoders import HashEncoder
from support.inputs import ends_of_inputs
from support.runs import Run, read_back
from support.shoppers import BASE, arriving

ALL: Final = Choice()


def purchase(user: str, number: int, **fields: Any) -> dict[str, Any]:
    """A line of a click that buys something for 10."""
    value = {"event_id": f"p{number}", "user_id": user, "item_id": "i", "action": "purchase", "timestamp": BASE}
    return {"topic": "clicks", "value": value | {"price": 10.0} | fields}


def review(user: str, number: int, text: str) -> dict[str, Any]:
    """A line of a review."""
    value = {"event_id": f"r{number}", "user_id": user, "item_id": "i", "rating": 5, "timestamp": BASE, "text": text}
    return {"topic": "reviews", "value": value}


class FedFlow(Flow):
    """A flow that is fed lines, and records of others."""

    async def take(self, lines: list[dict[str, Any]]) -> Run:
        """Publish lines, and read back what is made of them."""
        drain = Drain(self, LEAD_RECORDS)
        feeder = await feed(self, drain, arriving(lines))
        await drain.drained(feeder.ends)
        return await read_back(self, summarise(self, feeder, 1.0))

    async def settle(self) -> Run:
        """Wait for all that the topics hold, and read back what is made of it."""
        await Drain(self, LEAD_RECORDS).drained(await ends_of_inputs(self.settings))
        return await self.take([])


def worker(settings: Settings, encoder: Encoder | None = None) -> FedFlow:
    """A flow, to be entered."""
    return FedFlow(settings, encoder=encoder or HashEncoder())


async def redrive(settings: Settings, choice: Choice = ALL, go: bool = True) -> Counter[Standing]:
    """Return how many of the letters asked for stand where."""
    work = Redrive(settings)
    await work.survey(choice)
    if go:
        await work.send()
    return Counter(letter.standing for letter in work.letters if letter.standing is not Standing.NOT_CHOSEN)


async def redriven(settings: Settings, topic: str) -> list[ConsumerRecord]:
    """Return the records of a topic that were redriven, by their places."""
    found = [
        record
        async for records in read_topic(settings, topic_name(settings, topic))
        for record in records
        if record.headers
    ]
    return sorted(found, key=lambda record: (record.partition, record.offset))
