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
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.outcome import Outcome
from features.users.point_in_time import Folded
from streams.contract import ERASURES
from streams.inference.loading import Inference
from streams.offline.history.lives import Life, Recorded
from streams.offline.history.pace import Pace
from streams.offline.history.refused import Refused
from streams.offline.history.spill import Spill
from streams.offline.history.words import Texts, Words
from streams.offline.training.categories import is_listable
from streams.progress import Progress
from streams.records.decoder import Decoder
from streams.records.events import Click, Erasure, Event, Review, Search, text_of, title_of
from streams.records.judging import judge
from streams.records.ndjson import RejectedLine
from streams.records.observer import Observer
from streams.records.refusals import Position
from streams.records.rejection import Rejection
from streams.settings import Settings
from streams.sources.arrived import Arrived
from streams.sources.options import AS_THEY_ARE, SourceOptions
from streams.sources.reading import packed_bytes, plain_bytes, read_sources

_EVENTS: Final = (Review, Search, Click, Erasure)
_NOTE: Final = len(_EVENTS)
_decoders: Final[list[msgspec.msgpack.Decoder[Any]]] = [msgspec.msgpack.Decoder(kind) for kind in _EVENTS]
_note: Final = msgspec.msgpack.Decoder(tuple[str, Any])
_encode: Final = msgspec.msgpack.Encoder().encode

_ARRIVAL: Final = struct.Struct("<IQq")
"""The position of an event's line and the Kafka timestamp of its record, ahead of the event in its frame."""


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
        lives: of each life of the user what was applied; those that an erasure ended only if the history keeps lives.
    """

    user_id: str
    folded: Folded
    notes: list[Any]
    erased: bool
    lives: list[Life]


@dataclass
class _Gathered:
    events: list[Recorded] = field(default_factory=list)
    erased_at: int | None = None
    notes: list[Any] = field(default_factory=list)
    ended: list[tuple[list[Recorded], int | None]] = field(default_factory=list)
    """The events of each life that an erasure ended, and up to when an erasure before it refuses them."""


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
        keeps_lives: whether each user comes with what was applied in every life. What was told of an item stays told,
            though its user is forgotten.

    Attributes:
        encoder: identity of the encoder.
        head: identity of the polarity head; empty without one.
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
        *,
        keeps_lives: bool = False,
    ) -> None:
        self._keeps_lives = keeps_lives
        self._files = list(files)
        self._options = options
        self.encoder = inference.encoder
        self.head = "" if inference.sentiment is None else inference.sentiment.identity
        self._decoder = Decoder.of(settings)
        self._observer = Observer(inference.artefact.categories)
        self._spill = Spill(folder, plain_bytes(self._files))
        self._refused = refused or Refused()
        self._pace = Pace(progress, packed_bytes(self._files))
        self._words = Words(inference, self._pace)
        self.account = Account()
        self.categories: Counter[str] = Counter()
        self.first_duplicate: Position | None = None

    @property
    def texts_read(self) -> int:
        """The number of distinct texts per bucket that got an embedding."""
        return self._words.texts_read

    @property
    def titles_read(self) -> int:
        """The number of distinct titles that got an embedding."""
        return self._words.titles_read

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
            texts = await self._words.read(list(_all(gathered)))
            # Users are released one by one, and all before the next bucket is read.
            for user_id in sorted(gathered):
                yield self._fold(user_id, gathered.pop(user_id), texts)

    async def read_titles(self, titles: Iterable[str]) -> dict[str, NDArray[np.float64] | None]:
        """Return the projected embedding of each title, float64[64]; None for one that says nothing.

        Raises:
            EncoderUnavailableError: the encoder is down.
        """
        return await self._words.embedded(titles)

    def _take(self, arrived: Arrived, now: int) -> None:
        record, account = arrived.record, self.account
        position = self._refused.arrived(arrived)
        counts = record.topic != ERASURES or isinstance(record, RejectedLine)
        account.events_in += counts
        record_time = now if arrived.kafka_timestamp is None else arrived.kafka_timestamp
        event = judge(self._decoder, record, record_time)
        if isinstance(event, Rejection):
            account.dead_letters += counts
            self._refused.line(arrived, position, event)
            return
        if not isinstance(event, Erasure):
            account.oldest = event.timestamp if account.oldest is None else min(account.oldest, event.timestamp)
            account.newest = event.timestamp if account.newest is None else max(account.newest, event.timestamp)
            self._pace.expect(text_of(event) or title_of(event))
        frame = _ARRIVAL.pack(*position, record_time) + _encode(event)
        self._spill.add(event.user_id, _EVENTS.index(type(event)), frame)

    def _group(self, frames: Iterator[tuple[int, bytes]]) -> dict[str, _Gathered]:
        users: dict[str, _Gathered] = {}
        for code, frame in frames:
            if code == _NOTE:
                user_id, what = _note.decode(frame)
                users.setdefault(user_id, _Gathered()).notes.append(what)
                continue
            file, line, record_time = _ARRIVAL.unpack_from(frame)
            event = _decoders[code].decode(memoryview(frame)[_ARRIVAL.size :])
            user = users.setdefault(event.user_id, _Gathered())
            if isinstance(event, Erasure):
                self.account.erased += len(user.events)
                if self._keeps_lives and user.events:
                    user.ended.append((user.events, user.erased_at))
                user.events = []
                user.erased_at = event.timestamp if user.erased_at is None else max(user.erased_at, event.timestamp)
            else:
                user.events.append(Recorded(event, (file, line), record_time))
        return users

    def _fold(self, user_id: str, user: _Gathered, texts: Texts) -> User:
        *ended, life = (
            Life(events, erased_at, partial(self._words.of, texts), self._observer, self.encoder)
            for events, erased_at in (*user.ended, (user.events, user.erased_at))
        )
        folded, account = life.folded, self.account
        for arrived in life.unreadable:
            account.dead_letters += 1
            self._refused.text(arrived.event, arrived.position)
        self._pace.folded(len(user.events) + sum(len(events) for events, _ in user.ended))
        account.events_applied += len(folded.applied)
        names = (one.event.category for one in life.applied())
        self.categories.update(name for name in names if name is not None and is_listable(name))
        account.duplicates += folded.outcomes[Outcome.DUPLICATE]
        account.erased += folded.outcomes[Outcome.REFUSED]
        account.users += bool(folded.applied)
        if (duplicate := life.first_duplicate) is not None:
            self.first_duplicate = min(self.first_duplicate or duplicate, duplicate)
        return User(user_id, folded, user.notes, user.erased_at is not None, [*ended, life])


def _all(users: Mapping[str, _Gathered]) -> Iterator[Event]:
    for user in users.values():
        for events in (*(events for events, _ in user.ended), user.events):
            yield from (arrived.event for arrived in events)
