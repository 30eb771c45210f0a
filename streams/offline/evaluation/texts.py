"""The texts of a sample, embedded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from features.observation import Observation
from features.users.point_in_time import Snapshot, snapshots
from models.batching.batcher import MicroBatcher
from models.encoder.bert import Encoder
from models.profile import Projection
from streams.inference.text_reader import TextReader
from streams.offline.sample.training_set import read_of
from streams.records.events import Event
from streams.records.observer import NOTHING_READ, Observer, Reading


@dataclass(frozen=True, eq=False)
class Texts:
    """Everything the customers did, so that a row can be made again from other texts.

    Attributes:
        events: of each user, in order of time.
        readings: of every text and title.
        encoder: reads texts.
        projection: P.
        identity: of encoder and P.
        observer: turns events into observations.
    """

    events: Mapping[str, Sequence[Event]]
    readings: Mapping[str, Reading]
    encoder: Encoder
    projection: Projection
    identity: str
    observer: Observer

    def fold(self, user_id: str, instants: Sequence[int], rewritten: Mapping[str, str] | None = None) -> list[Snapshot]:
        """Return a user's features at instants (rising, ms), texts replaced as `rewritten` says."""
        observed = self._observations(user_id, rewritten or {})
        return list(snapshots(observed, instants, self.identity))

    def also_reading(self, texts: Iterable[str]) -> Texts:
        """Return the same with further texts read."""
        new = sorted(set(texts) - set(self.readings))
        readings = {**self.readings, **read_texts(new, self.encoder, self.projection)}
        return Texts(self.events, readings, self.encoder, self.projection, self.identity, self.observer)

    def _observations(self, user_id: str, rewritten: Mapping[str, str]) -> list[Observation]:
        return [
            self.observer.observe(
                event, number, self.readings.get(rewritten.get(text := read_of(event), text), NOTHING_READ)
            )
            for number, event in enumerate(self.events[user_id], start=1)
        ]


def read_texts(texts: Sequence[str], encoder: Encoder, projection: Projection) -> dict[str, Reading]:
    """Clean, judge, embed and project texts; one that alone fails to encode is left out.

    Raises:
        EncoderUnavailableError: the encoder is down.
    """

    async def read() -> dict[str, Reading]:
        batcher = MicroBatcher(encoder, queue_texts=len(texts) + 1, cache_texts=len(texts) + 1)
        await batcher.start()
        try:
            readings = await TextReader(batcher, projection).read(texts)
        finally:
            await batcher.stop()
        return {text: seen for text, seen in zip(texts, readings, strict=True) if isinstance(seen, Reading)}

    return asyncio.run(read())
