"""A file of lines, read by brute force: what becomes of each line, and what is known of each user and each item.

Written from the contract alone. Only what the contract leaves to models is taken from them: which texts are noisy, what
cleaning leaves of a text, and its projected embedding.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from models.text.cleaning import clean
from models.text.noise import is_noisy
from support.item_reference import Said
from support.reference import Raw
from support.twofold.records import Event, Refusal, read_line

REMEMBERED_IDS = 128
NEVER = -1

Embed = Callable[[str], "tuple[float, ...] | None"]
"""The projected embedding of a cleaned text; None where the encoder fails on this text alone."""


Polarity = Callable[[str], float]
"""That of a cleaned text, -1..1."""


@dataclass
class Reading:
    """What the contract says of a file.

    Attributes:
        events_in: lines, erasures left out.
        applied, duplicates, erased: counts as `replay` gives them.
        letters: the reason of each dead letter by the number of its line.
        users: the events of each user that count, in the order of arrival.
        items: what was said of each item, in the order of the lines.
    """

    events_in: int = 0
    applied: int = 0
    duplicates: int = 0
    erased: int = 0
    letters: dict[int, str] = field(default_factory=dict)
    users: dict[str, list[Raw]] = field(default_factory=dict)
    items: dict[str, list[Said]] = field(default_factory=dict)

    @property
    def facts(self) -> int:
        """Clicks and reviews applied, those of erased users included."""
        return sum(map(len, self.items.values()))


@dataclass
class _Life:
    """A user since first seen or last erased."""

    erased_at: int = NEVER
    remembered: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def read_file(
    lines: Iterable[bytes], embed: Embed, polarity: Polarity | None, arrived: Callable[[int], int]
) -> Reading:
    """Read a file.

    Args:
        lines: of the file.
        embed: the encoder.
        polarity: the head over it; None without one.
        arrived: the Kafka timestamp (ms) of the record of a line, by the line's number.
    """
    reading, lives = Reading(), defaultdict[str, _Life](_Life)
    items: defaultdict[str, list[Said]] = defaultdict(list)
    users: defaultdict[str, list[Raw]] = defaultdict(list)
    for number, line in enumerate(lines, 1):
        event = read_line(line, arrived(number))
        if isinstance(event, Event) and event.topic == "erasures":
            life = lives[event.user_id]
            life.erased_at = max(life.erased_at, event.timestamp)
            life.remembered.clear()
            users.pop(event.user_id, None)
            continue
        reading.events_in += 1
        raw = event if isinstance(event, Refusal) else _raw(event, embed)
        if isinstance(event, Refusal) or isinstance(raw, Refusal):
            assert isinstance(raw, Refusal)
            reading.letters[number] = raw.reason
            continue
        life = lives[event.user_id]
        remembered = life.remembered[event.topic]
        if event.timestamp <= life.erased_at:
            reading.erased += 1
        elif raw.event_id in remembered:
            reading.duplicates += 1
        else:
            reading.applied += 1
            remembered.append(raw.event_id)
            del remembered[:-REMEMBERED_IDS]
            users[event.user_id].append(raw)
            if event.topic != "searches":
                items[event.fields["item_id"]].append(_said(event, raw, polarity, arrived(number)))
    reading.users, reading.items = dict(users), dict(items)
    return reading


def _said(event: Event, raw: Raw, polarity: Polarity | None, arrived: int) -> Said:
    fields, timestamp = event.fields, min(event.timestamp, arrived)
    if event.topic == "reviews":
        left = says(fields["text"])
        judged = polarity(left) if left and polarity is not None else None
        return Said("review", timestamp, rating=raw.rating, noisy=raw.noisy, polarity=judged)
    taken = {name: fields[name] for name in ("price", "quantity", "title", "category")}
    return Said(fields["action"], timestamp, vector=raw.title, **taken)


def says(text: str) -> str:
    """What is left of a text to be encoded: nothing of a noisy one."""
    return "" if is_noisy(text) else clean(text)


def _raw(event: Event, embed: Embed) -> Raw | Refusal:
    fields: dict[str, Any] = event.fields
    words = fields.get("text", fields.get("query", fields.get("title") or ""))
    left = says(words)
    vector = embed(left) if left else None
    if event.topic == "clicks":
        return Raw(
            topic="clicks",
            event_id=fields["event_id"],
            what=fields["action"],
            timestamp=event.timestamp,
            price=fields["price"],
            quantity=fields["quantity"],
            category=fields["category"],
            order_id=fields.get("order_id"),
            title=vector,
        )
    if left and vector is None:
        return Refusal("encoder_failed")
    review = event.topic == "reviews"
    return Raw(
        topic=event.topic,
        event_id=fields["event_id"],
        what="review" if review else "search",
        timestamp=event.timestamp,
        rating=fields.get("rating"),
        noisy=is_noisy(words),
        weight=0.0 if vector is None else 1.0 if review else 0.5,
        vector=vector,
        category=fields["category"],
    )
