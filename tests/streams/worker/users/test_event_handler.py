"""An event and its fact belong together: where the fact cannot be made, no state leaves that holds the event."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from features.observation import Kind, Observation, Source
from streams.contract import REVIEWS
from streams.records.events import Click
from streams.records.observer import NOTHING_READ
from streams.worker.users import event_handler
from streams.worker.users.event_handler import EventHandler

BASE = 1_764_000_000_000


def test_a_fact_that_cannot_be_made_holds_the_states_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(event_handler, "fact_of_click", fail)
    told: list[Exception] = []
    partition: Any = SimpleNamespace(not_told=told.append, tell=None)
    handler = EventHandler(REVIEWS, partition, SimpleNamespace())  # type: ignore[arg-type]
    click = Click(event_id="e", user_id="u", item_id="i", action="view", timestamp=BASE)
    seen = Observation(int(Kind.VIEW), int(Source.CLICKS), 0, BASE, b"12345678")
    with pytest.raises(MemoryError) as raised:
        handler._tell(click, seen, BASE, NOTHING_READ)
    assert told == [raised.value]
