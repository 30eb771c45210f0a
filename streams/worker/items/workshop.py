"""What the items' stage applies facts and reads titles with, under one assignment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streams.broker.letters import Letters
from streams.inference.title_reader import TitleReader
from streams.telemetry.metrics import Metrics
from streams.telemetry.tally import Tally


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """What facts are applied with.

    Attributes:
        encoder: identity of the loaded encoder.
        titles: of the items.
        letters: where messages go that are none.
        slice_facts: facts applied before other work gets its turn.
        waiting_titles: items of a partition whose unread titles are remembered, at most.
        on_encoder: told (who waits, whether the encoder is down for it).
        on_failure: told of an error that ends the worker.
    """

    encoder: str
    titles: TitleReader
    letters: Letters
    tally: Tally
    metrics: Metrics
    slice_facts: int
    waiting_titles: int
    on_encoder: Callable[[object, bool], None]
    on_failure: Callable[[BaseException], None]
