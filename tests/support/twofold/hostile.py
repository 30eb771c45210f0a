"""Files of lines that go wrong in every way the contract names, over few users and items, so that all of it meets.

A file is a list of lines, as bytes. Events that are ahead of the clock have items of their own: the time of their fact
is that of their record, which no file says.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from support.reference import DAY, HOUR

POISON = "POISON"
"""An encoder that fails on a text alone fails on one with this in it (`support.encoders.SwitchableEncoder`)."""

AHEAD = "ahead"
"""The ids of items with one event ahead of the clock begin so."""

TEXTS = (
    "Great sound, arrived on time",
    "质量很好，物流也快",
    "broken on arrival, asked for a refund",
    "",
    "   ",
    "加微信 vx123456 免费领取",
    "<b>lovely</b> &amp; <script>x()</script>",
    "ok",
    "🎷🎺",
    f"{POISON} of a text",
)
TITLES = (
    "Blue Train, 180 g vinyl",
    "黑胶唱片 蓝色列车",
    "<b>Kind of Blue</b> &amp; more",
    "🎷🎺",
    "",
    "加微信 vx123456 免费领取",
    "Giant Steps " * 200,
    "é" * 700,
    "\u202e\x00\x1b[2J right to left",
    None,
    f"{POISON} of a title",
)
CATEGORIES = ("coffee", "cheese", "no such category", "", None, "茶", "c" * 300)
PRICES = (0.0, 0.1, 0.2, 0.3, 19.99, 1234.56, 1e-7, 333333.333333, None, 7, -0.0)
IDS = ("plain", "with space", "产品", "x" * 256, "1", "\U0001f9c0", '"quoted"', "null")


def hostile_lines(seed: int, events: int, newest: int, *, users: int = 40, any_order: bool = False) -> list[bytes]:
    """Return lines.

    Args:
        seed: of all that is random.
        events: how many lines, about.
        newest: no event but those ahead of the clock is later than this, ms; it should be now, or before.
        users: how many.
        any_order: leave out what makes the order of lines matter: erasures, ids whose copies differ or come late, and
            users with more events than a topic remembers, which takes at most 70 lines to a user.
    """
    rng = random.Random(seed)
    lines: list[bytes] = []
    said: list[dict[str, Any]] = []
    for number in range(events):
        dice = rng.random()
        if dice < 0.72 or not said:
            said.append(_event(rng, number, newest, users, evenly=any_order))
            lines.append(_line(said[-1]))
        elif dice < 0.80:
            recent = said[-30:] if any_order else rng.choice([said[-30:], said])
            lines.append(_line(_again(rng, rng.choice(recent), any_order=any_order)))
        elif dice < 0.82:
            lines.append(_line(_ahead(rng, number, newest)))
        elif dice < 0.825 and not any_order:
            gone = rng.choice([_user(rng, users), rng.choice(said)["value"]["user_id"]])
            erasure = {
                "user_id": gone,
                "timestamp": newest - rng.choice([HOUR, 40 * DAY, 40 * DAY, 900 * DAY, 900 * DAY]),
            }
            lines.append(_line({"topic": "erasures", "value": erasure}))
        else:
            lines.append(rng.choice(SPOILERS)(rng, _event(rng, number, newest, users, evenly=any_order)))
    return lines


def _user(rng: random.Random, users: int, *, evenly: bool = False) -> str:
    place = rng.randrange(users) if evenly else int(rng.paretovariate(0.9)) % users
    return f"user {place} {IDS[place % len(IDS)]}"[:256]


def _event(rng: random.Random, number: int, newest: int, users: int, *, evenly: bool = False) -> dict[str, Any]:
    age = rng.choice(
        [0, rng.randrange(2 * HOUR), rng.randrange(3 * DAY), rng.randrange(45 * DAY), 800 * DAY, 9000 * DAY]
    )
    topic = rng.choices(["clicks", "searches", "reviews"], [7, 1, 3])[0]
    # An id means nothing beyond its user and topic.
    value: dict[str, Any] = {"event_id": f"e{number}", "user_id": _user(rng, users, evenly=evenly)}
    value["timestamp"] = _written(rng, newest - age)
    if rng.random() < 0.5:
        value["category"] = rng.choice(CATEGORIES)
    if rng.random() < 0.1:
        value |= {"currency": rng.choice(["USD", None]), "unknown": {"of": ["no", "account", 1]}}
    if topic == "searches":
        value |= {"query": rng.choice(TEXTS), "results": rng.choice([None, 0, 3.5])}
        return {"topic": topic, "value": value}
    value["item_id"] = IDS[min(len(IDS) - 1, int(rng.paretovariate(0.6)) - 1)] if rng.random() < 0.6 else _item(rng)
    if topic == "reviews":
        value |= {"text": rng.choice(TEXTS), "rating": rng.choice([1, 2.5, 4, 5, 3.3333333])}
        return {"topic": topic, "value": value}
    value["action"] = rng.choice(["view", "view", "favorite", "cart", "remove", "purchase", "purchase", "refund"])
    if rng.random() < 0.8:
        value |= {"price": rng.choice(PRICES), "quantity": rng.choice([None, 1, 2, 1000])}
    if rng.random() < 0.7:
        value["title"] = rng.choice(TITLES)
    if rng.random() < 0.5:
        value["order_id"] = rng.choice([None, f"o{rng.randrange(30)}"])
    return {"topic": topic, "value": value}


def _item(rng: random.Random) -> str:
    return f"item-{rng.randrange(60)}"


def _written(rng: random.Random, instant: int) -> int | str:
    """An instant in one of the forms that say it."""
    if rng.random() < 0.8:
        return instant
    zone = rng.choice([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=11))])
    whole = datetime.fromtimestamp(instant // 1000, zone).isoformat(timespec="seconds")
    digits = f".{instant % 1000:03}" + rng.choice(["", "9", "999999"])
    return whole[:19] + digits + whole[19:].replace("+00:00", rng.choice(["Z", "+00:00"]))


def _again(rng: random.Random, line: dict[str, Any], *, any_order: bool) -> dict[str, Any]:
    """A line once more, or another one that shares its event id."""
    value = line["value"]
    if any_order or rng.random() < 0.6:
        return line
    changed = [
        {"user_id": f"{value['user_id']}!"[-256:]},
        {"timestamp": 1_500_000_000_000 + rng.randrange(DAY)},
        {"item_id": _item(rng)} if "item_id" in value else {},
    ]
    return line | {"value": value | rng.choice(changed)}


def _ahead(rng: random.Random, number: int, newest: int) -> dict[str, Any]:
    value = {"event_id": f"a{number}", "user_id": f"ahead {number}", "item_id": f"{AHEAD}-{number}"}
    value |= {"action": "purchase", "price": 2.5, "title": "of tomorrow", "category": "coffee"}
    return {"topic": "clicks", "value": value | {"timestamp": newest + rng.choice([HOUR, 20 * HOUR])}}


def _line(line: dict[str, Any]) -> bytes:
    return json.dumps(line, ensure_ascii=False).encode()


def _with(line: dict[str, Any], **changes: Any) -> bytes:
    """The line with fields of its value replaced; Ellipsis leaves a field out."""
    value = {name: field for name, field in (line["value"] | changes).items() if field is not ...}
    return _line(line | {"value": value})


def _as_raw(line: dict[str, Any], raw: str | bytes) -> bytes:
    given = {"raw": raw} if isinstance(raw, str) else {"raw_base64": base64.b64encode(raw).decode()}
    return _line({"topic": line["topic"], "key": line["value"]["user_id"], **given})


def _nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def _odd(line: dict[str, Any], member: str) -> bytes:
    """The value of the line with one more member, written as it is."""
    return _as_raw(line, json.dumps(line["value"])[:-1] + f', "odd": {member}}}')


Spoiler = Callable[[random.Random, dict[str, Any]], bytes]

_WRONG: Sequence[dict[str, Any]] = (
    *({name: wrong} for name in ("event_id", "user_id") for wrong in (..., None, "", 7, True, "x" * 257, ["u"])),
    *({"timestamp": wrong} for wrong in (..., None, True, 1.5, "yesterday", 1_760_000_000, "2025-01-01T00:00:00", {})),
    {"timestamp": 631_151_999_999},
    {"currency": "EUR"},
    {"category": 3},
)
_WRONG_CLICK: Sequence[dict[str, Any]] = (
    *({"action": wrong} for wrong in (..., "buy", "VIEW", None, 1)),
    *({"price": wrong, "quantity": 1} for wrong in (-0.01, "3", True, 1e10, [])),
    *({"quantity": wrong} for wrong in (0, -1, 2.0, 1_000_001, "2", True)),
    {"price": 2000.0, "quantity": 1_000_000},
    {"title": 7},
    {"title": ["tea"]},
    {"order_id": ""},
    {"session_id": "s" * 257},
    {"item_id": "é" * 129},
)
_WRONG_REVIEW: Sequence[dict[str, Any]] = (
    *({"rating": wrong} for wrong in (..., 0.99, 5.01, "5", True, None)),
    *({"text": wrong} for wrong in (..., None, 5)),
    {"text": "word " * 6554},
    {"item_id": ...},
)


def _spoiled_field(rng: random.Random, line: dict[str, Any]) -> bytes:
    own = {"clicks": _WRONG_CLICK, "reviews": _WRONG_REVIEW, "searches": ({"query": None}, {"results": -1})}
    return _with(line, **rng.choice([*_WRONG, *own[line["topic"]], *own[line["topic"]]]))


SPOILERS: Sequence[Spoiler] = (
    *[_spoiled_field] * 12,
    lambda rng, line: _with(line, timestamp=rng.choice([4_000_000_000_000, 10**15, 10**25])),
    lambda rng, line: _line(line | {"key": rng.choice([None, "another", "", f"{line['value']['user_id']} "])}),
    lambda rng, line: _as_raw(line, rng.choice(["", "not json", "{", "[]", "7", '"text"', "null", "{} {}"])),
    lambda rng, line: _as_raw(line, rng.choice([b"\xff", b"\xef\xbb\xbf{}", b'{"a": "\xc3"}', b"\x00"])),
    lambda rng, line: _odd(line, rng.choice(["NaN", "-Infinity", '"\\ud800"', _nested(64), "01", "'single'"])),
    # As deep as it may be, and numbers that are no harm where nobody reads them.
    lambda rng, line: _odd(line, rng.choice([_nested(63), "1e-400", "-0.0", '"\\ud83e\\uddc0"', "{}"])),
    lambda rng, line: _as_raw(line, json.dumps(line["value"] | {"user_id": line["value"]["user_id"] + "?"})),
    lambda rng, line: rng.choice([b"[]", b"no object", b"7", b'{"topic": "clicks"}', b'{"value": {}}', b"{"]),
    lambda rng, line: _line(line | {"topic": rng.choice(["orders", "", "Clicks"])}),
    lambda rng, line: _line(line | {"raw": "two of them"}),
    lambda rng, line: _as_raw(line, json.dumps(line["value"]).replace('"price": ', '"price": 1e999, "was": ')),
)
