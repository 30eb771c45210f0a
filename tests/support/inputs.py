"""The topics of events that a deployment reads."""

from __future__ import annotations

from aiokafka import TopicPartition

from streams.broker.topics.log_ends import high_watermarks
from streams.contract import EVENTS, topic_name
from streams.operating.feeder import Ends
from streams.settings import Settings


async def ends_of_inputs(settings: Settings) -> Ends:
    """Where the inputs of events end."""
    asked = {
        TopicPartition(topic_name(settings, topic), number): (topic, number)
        for topic in EVENTS
        for number in range(settings.partitions)
    }
    return {asked[partition]: end for partition, end in (await high_watermarks(settings, list(asked))).items()}
