"""What a history refuses: counted by kind, led back to its lines, and written down if that is asked for."""

from __future__ import annotations

from typing import IO, Any, Final

import msgspec
import orjson

from streams.contract import CLICKS, NO_PARTITION, REVIEWS, SEARCHES
from streams.records.events import Click, Event, Review, Search
from streams.records.ndjson import RejectedLine, text_or_base64
from streams.records.refusals import Position, Refusals, check_share
from streams.records.rejection import Reason, Rejection
from streams.sources.arrived import Arrived
from streams.sources.places import Places

_TOPICS: Final = {Review: REVIEWS, Search: SEARCHES, Click: CLICKS}


class Refused:
    """Takes the refusals of one history.

    Args:
        letters: where each is written as a JSON object, in the form of the dead letters of a replay; None for nowhere.
        max_share: the share of the lines, 0 to 1, that may be refused.

    Attributes:
        read: lines read, erasures included.
        refusals: by kind.
        places: the places of all lines.
    """

    def __init__(self, letters: IO[bytes] | None = None, max_share: float = 1.0) -> None:
        self._letters = letters
        self._max_share = max_share
        self.read = 0
        self.refusals = Refusals()
        self.places = Places()

    def arrived(self, arrived: Arrived) -> Position:
        """Count a line as read; return its position."""
        self.read += 1
        return self.places.position(arrived)

    def line(self, arrived: Arrived, position: Position, rejection: Rejection) -> None:
        """Take a line that is refused as it is read."""
        record = arrived.record
        key = None if isinstance(record, RejectedLine) else record.key
        raw = record.raw if isinstance(record, RejectedLine) else record.value
        self._take(record.topic, key, raw, position, rejection)

    def text(self, event: Event, position: Position) -> None:
        """Take an event whose text the encoder refuses. Its letter is written anew from its fields."""
        rejection = Rejection(Reason.ENCODER_FAILED, "text or query: expected one that the encoder takes")
        self._take(_TOPICS[type(event)], event.user_id.encode(), msgspec.json.encode(event), position, rejection)

    def check(self) -> None:
        """Check that no more is refused than may be.

        Raises:
            RefusedInputError: more is.
        """
        check_share(self.refusals, self.read, self._max_share)

    def _take(self, topic: str, key: bytes | None, raw: bytes, position: Position, rejection: Rejection) -> None:
        self.refusals.add(rejection.reason, rejection.detail, position)
        if self._letters is None:
            return
        place = self.places.place(position)
        letter: dict[str, Any] = {
            "reason": rejection.reason,
            "detail": rejection.detail,
            "topic": topic,
            "partition": NO_PARTITION,
            "offset": position[1],
            "key": None if key is None else key.decode(errors="replace"),
        }
        letter |= text_or_base64(raw) | ({} if place is None else place.as_dict())
        self._letters.write(orjson.dumps(letter) + b"\n")
