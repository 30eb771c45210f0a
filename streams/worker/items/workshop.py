"""What titles of items are read with, under one assignment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streams.inference.title_reader import TitleReader
from streams.telemetry.metrics import Metrics


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """What titles of items are read with.

    Attributes:
        encoder: identity of the loaded encoder.
        titles: reads them.
        metrics: told how many wait.
        waiting_titles: items of a partition whose unread titles are remembered, at most.
        on_encoder: told (who waits, whether the encoder is down for it).
        on_failure: told of an error that ends the worker.
    """

    encoder: str
    titles: TitleReader
    metrics: Metrics
    waiting_titles: int
    on_encoder: Callable[[object, bool], None]
    on_failure: Callable[[BaseException], None]
