"""A history of events, folded user by user with the code that folds the stream.

There are two passes, so that memory holds one bucket of users however long the history is. The first decodes records
and spills them by user (`spill`). The second reads texts and folds users, bucket by bucket.
"""

from __future__ import annotations

import struct
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from features.observation import Observation
from features.outcome import Outcome
from features.users.point_in_time import Folded, UserHistory
from models.exceptions import TextRejectedError
from streams.contract import ERASURES
from streams.inference.loading import Inference
from streams.inference.text_reader import TextReader
from streams.offline.history.pace import Pace
from streams.offline.history.refused import Refused
from streams.offline.history.spill import Spill
from streams.offline.training.categories import is_listable
from streams.progress import Progress
from streams.records.decoder import Decoder
from streams.records.events import Click, Erasure, Event, Review, Search, text_of, title_of
from streams.records.judging import judge
from streams.records.ndjson import RejectedLine
from streams.records.observer import NOTHING_READ, Observer, Reading
from streams.records.refusals import Position
from streams.records.rejection import Rejection
from streams.settings import Settings
from streams.sources.arrived import Arrived
from streams.sources.options import AS_THEY_ARE, SourceOptions
from streams.sources.reading import packed_bytes, plain_bytes, read_sources

TEXTS_AT_ONCE: Final = 2048
"""Number of texts handed to the micro-batcher together, from which it sorts and fills batches."""

TITLES_KEPT: Final = 200_000
"""Titles whose readings are kept from one bucket to the next, 0.6 kB each: a shop has few, and every bucket has all."""

Readings = dict[str, Reading | TextRejectedError]
"""What was read of each text or title."""

_EVENTS: Final = (Review, Search, Click, Erasure)
_NOTE: Final = len(_EVENTS)
_decoders: Final[list[msgspec.msgpack.Decoder[Any]]] = [msgspec.msgpack.Decoder(kind) for kind in _EVENTS]
_note: Final = msgspec.msgpack.Decoder(tuple[str, Any])
_encode: Final = msgspec.msgpack.Encoder().encode

_POSITION: Final = struct.Struct("<IQ")
"""The position of an event's line, ahead of the event in its frame."""


@dataclass
class Account:
    """The fates of a history's events, as `replay` accounts for them.

    Attributes:
        erased: events that a later erasure removed, or that were refused after one.
        users: number of users with an applied event.
        oldest, newest: times (ms) of valid events; None without one.
    """

    events_in: int = 0
    events_applied: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    erased: int = 0
    users: int = 0
    oldest: int | None = None
    newest: int | None = None


class User(NamedTuple):
    """One user of a history.

    Attributes:
        notes: the notes that the caller attached to the user, in order.
        erased: whether an erasure is in the history.
    """

    user_id: str
    folded: Folded
    notes: list[Any]
    erased: bool


@dataclass
class _Gathered:
    events: list[tuple[Event, Position]] = field(default_factory=list)
    erased_at: int | None = None
    notes: list[Any] = field(default_factory=list)


class History:
    """Folds the history in files.

    Erasures apply in the order of the input. Events that arrived before an erasure are in no row of the user, however
    early the instant, and events after it are refused up to its time.

    Args:
        settings: decide which events are valid.
        inference: encoder, projection and categories; its batcher is started.
        files: sources of events, in the order of arrival.
        folder: an existing folder for spilled records, which the caller removes.
        options: say how the files are read.
        refused: takes what is refused; None for counting it only.
        progress: told how far reading and folding are.

    Attributes:
        account: of the events so far.
        categories: how many of the applied events named each category, for the users folded so far.
        first_duplicate: the position of the first duplicate so far, as the places of `refused` number it.
    """

    def __init__(
        self,
        settings: Settings,
        inference: Inference,
        files: Iterable[Path],
        folder: Path,
        options: SourceOptions = AS_THEY_ARE,
        refused: Refused | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._files = list(files)
        self._options = options
        self._encoder = inference.encoder
        self._decoder = Decoder.of(settings)
        self._observer = Observer(inference.artefact.categories)
        self._reader = TextReader(inference.batcher, inference.projection, inference.sentiment)
        self._title_reader = TextReader(inference.batcher, inference.projection)
        self._titles: Readings = {}
        self._spill = Spill(folder, plain_bytes(self._files))
        self._refused = refused or Refused()
        self._pace = Pace(progress, packed_bytes(self._files))
        self.account = Account()
        self.categories: Counter[str] = Counter()
        self.first_duplicate: Position | None = None

    @property
    def texts_read(self) -> int:
        """The number of distinct texts per bucket that got an embedding."""
        return self._reader.encoded

    @property
    def titles_read(self) -> int:
        """The number of distinct titles that got an embedding."""
        return self._title_reader.encoded

    def gather(self) -> None:
        """Decode and spill the files. It is called once, before `users`.

        Raises:
            RefusedInputError: more is refused than may be.
        """
        now = int(time.time() * 1000)
        for arrived in read_sources(self._files, self._options, self._pace.read):
            self._take(arrived, now)
        self._refused.check()

    def note(self, user_id: str, what: Any) -> None:
        """Attach a value that MessagePack can hold to a user, who may be unknown to the history."""
        self._spill.add(user_id, _NOTE, _encode((user_id, what)))

    async def users(self) -> AsyncGenerator[User, None]:
        """Yield every user that has an event or a note, once.

        Raises:
            EncoderUnavailableError: the encoder is down.
        """
        for frames in self._spill.buckets():
            gathered = self._group(frames)
            readings: Readings = {}
            await self._read(self._reader, (text_of(event) for event in _all(gathered)), readings)
            if len(self._titles) > TITLES_KEPT:
                self._titles.clear()
            await self._read(self._title_reader, (title_of(event) for event in _all(gathered)), self._titles)
            # Users are released one by one, and all before the next bucket is read.
            for user_id in sorted(gathered):
                yield self._fold(user_id, gathered.pop(user_id), readings)

    def _take(self, arrived: Arrived, now: int) -> None:
        record, account = arrived.record, self.account
        position = self._refused.arrived(arrived)
        counts = record.topic != ERASURES or isinstance(record, RejectedLine)
        account.events_in += counts
        event = judge(self._decoder, record, now if arrived.kafka_timestamp is None else arrived.kafka_timestamp)
        if isinstance(event, Rejection):
            account.dead_letters += counts
            self._refused.line(arrived, position, event)
            return
        if not isinstance(event, Erasure):
            account.oldest = event.timestamp if account.oldest is None else min(account.oldest, event.timestamp)
            account.newest = event.timestamp if account.newest is None else max(account.newest, event.timestamp)
            self._pace.expect(text_of(event) or title_of(event))
        self._spill.add(event.user_id, _EVENTS.index(type(event)), _POSITION.pack(*position) + _encode(event))

    def _group(self, frames: Iterator[tuple[int, bytes]]) -> dict[str, _Gathered]:
        users: dict[str, _Gathered] = {}
        for code, frame in frames:
            if code == _NOTE:
                user_id, what = _note.decode(frame)
                users.setdefault(user_id, _Gathered()).notes.append(what)
                continue
            file, line = _POSITION.unpack_from(frame)
            event = _decoders[code].decode(memoryview(frame)[_POSITION.size :])
            user = users.setdefault(event.user_id, _Gathered())
            if isinstance(event, Erasure):
                self.account.erased += len(user.events)
                user.events.clear()
                user.erased_at = event.timestamp if user.erased_at is None else max(user.erased_at, event.timestamp)
            else:
                user.events.append((event, (file, line)))
        return users

    async def _read(self, reader: TextReader, words: Iterable[str], readings: Readings) -> None:
        """Add the reading of each text that has none yet."""
        counts = Counter(filter(None, words))
        texts = [text for text in counts if text not in readings]
        self._pace.texts_read(counts.total() - sum(counts[text] for text in texts))
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            some = texts[start : start + TEXTS_AT_ONCE]
            readings.update(zip(some, await reader.read(some), strict=True))
            self._pace.texts_read(sum(counts[text] for text in some))

    def _fold(self, user_id: str, user: _Gathered, readings: Readings) -> User:
        arrived: list[Observation] = []
        positions: list[Position] = []
        named: list[str | None] = []
        for event, position in user.events:
            if isinstance(event, Click):
                reading = self._titles.get(title_of(event), NOTHING_READ)
                if isinstance(reading, TextRejectedError):
                    # A title that fails alone counts as noisy, and the click is none the worse for it.
                    reading = NOTHING_READ
            else:
                reading = readings.get(text_of(event), NOTHING_READ)
            if isinstance(reading, TextRejectedError):
                self.account.dead_letters += 1
                self._refused.text(event, position)
            else:
                arrived.append(self._observer.observe(event, len(arrived) + 1, reading))
                named.append(event.category)
                positions.append(position)
        folded = Folded(UserHistory(arrived, user.erased_at), self._encoder)
        self._pace.folded(len(user.events))
        self.account.events_applied += len(folded.applied)
        # An observation's offset is its place among those that arrived, from 1.
        names = (named[seen.offset - 1] for seen in folded.applied)
        self.categories.update(name for name in names if name is not None and is_listable(name))
        self.account.duplicates += folded.outcomes[Outcome.DUPLICATE]
        self.account.erased += folded.outcomes[Outcome.REFUSED]
        self.account.users += bool(folded.applied)
        if folded.first_duplicate is not None:
            position = positions[folded.first_duplicate - 1]
            self.first_duplicate = min(self.first_duplicate or position, position)
        return User(user_id, folded, user.notes, user.erased_at is not None)


def _all(users: Mapping[str, _Gathered]) -> Iterator[Event]:
    return (event for user in users.values() for event, _ in user.events)
