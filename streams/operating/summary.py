"""The account of a replayed input, in the terms of the contract: of `replay` and of the demo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from streams.operating.feeder import Feeder
from streams.operating.read_back import known_items, known_users
from streams.telemetry.tally import Fate
from streams.worker.flow import Flow


@dataclass(frozen=True)
class Summary:
    """The account of a replayed input, in the terms of the contract."""

    events_in: int
    events_applied: int
    duplicates: int
    dead_letters: int
    erased: int
    users: int
    scores_out: int
    texts_encoded: int
    titles_encoded: int
    facts_sent: int
    facts_applied: int
    items: int
    seconds: float
    event_to_score_ms: dict[str, float | None]

    @property
    def complete(self) -> bool:
        """Whether every input event is accounted for, and every fact that was sent."""
        return self._events_complete and self.facts_sent == self.facts_applied

    @property
    def _events_complete(self) -> bool:
        return self.events_in == self.events_applied + self.duplicates + self.dead_letters + self.erased

    @property
    def account(self) -> str:
        """The fates of the input events, in one line."""
        equal = "=" if self._events_complete else "!="
        return (
            f"{self.events_in:,} events in {equal} {self.events_applied:,} applied + {self.duplicates:,} duplicates + "
            f"{self.dead_letters:,} dead letters + {self.erased:,} erased"
        )

    @property
    def items_account(self) -> str:
        """The fates of the facts, in one line; empty where none was sent."""
        if not (self.items or self.facts_sent):
            return ""
        return f"{self.facts_applied:,} of {self.facts_sent:,} facts applied to {self.items:,} items"

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        latency = self.event_to_score_ms
        rate = round(self.events_in / self.seconds, 1) if self.seconds else 0.0
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return fields | {"events_per_second": rate, "event_to_score_ms": latency}


def summarise(flow: Flow, feeder: Feeder, seconds: float) -> Summary:
    """Return the account of a drained flow."""
    fates = flow.tally.fates
    return Summary(
        events_in=feeder.events,
        events_applied=fates[Fate.APPLIED],
        duplicates=fates[Fate.DUPLICATE],
        dead_letters=fates[Fate.DEAD_LETTER] + feeder.rejected,
        erased=fates[Fate.ERASED],
        users=len(known_users(flow)),
        scores_out=flow.tally.scores_out,
        texts_encoded=flow.engine.equipment.reader.encoded,
        titles_encoded=flow.engine.equipment.titles.encoded,
        facts_sent=flow.tally.facts_sent,
        facts_applied=flow.tally.facts_applied,
        items=len(known_items(flow)),
        seconds=round(seconds, 3),
        event_to_score_ms=flow.tally.latency_percentiles(),
    )
