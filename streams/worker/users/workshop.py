"""What the handlers of events work with, shared by all of a worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streams.broker.letters import Letters
from streams.inference.text_reader import TextReader
from streams.inference.title_reader import TitleReader
from streams.records.decoder import Decoder
from streams.records.observer import Observer
from streams.telemetry.metrics import Metrics
from streams.telemetry.tally import Tally
from streams.worker.users.future_times import FutureTimes


@dataclass(frozen=True)
class Workshop:
    """What the handlers of events work with.

    Attributes:
        future: told of everything taken in.
        reader: of reviews and queries.
        titles: of the titles of items.
        telling: whether items are told of what is applied.
        slice_records: records handled before other lanes get their turn.
        waiting_titles, waiting_title_bytes: clicks of a partition whose titles may wait, and memory that these take.
        hold: told (partition, the offset of the first click whose title waits; None where none does any more).
        on_encoder: told (lane, whether the encoder is down for it).
        on_failure: told of an error that ends the worker.
    """

    decoder: Decoder
    future: FutureTimes
    observer: Observer
    reader: TextReader
    titles: TitleReader
    letters: Letters
    tally: Tally
    metrics: Metrics
    telling: bool
    slice_records: int
    waiting_titles: int
    waiting_title_bytes: int
    hold: Callable[[int, int | None], None]
    on_encoder: Callable[[object, bool], None]
    on_failure: Callable[[BaseException], None]
