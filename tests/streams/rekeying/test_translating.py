"""From the records of a shop's topic to events keyed by user, or the reason why there are none."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.shop_topics import as_call, shop_lines
from support.shoppers import BASE

from streams.records.decoder import Decoder
from streams.records.ndjson import Record
from streams.records.rejection import Reason, Rejection
from streams.records.withheld import Why, Withheld
from streams.rekeying.letters import mark_of, marked, marks
from streams.rekeying.translating import Sourced, Translation, Translator
from streams.settings import MAX_TOPIC_BYTES, load_settings

CLICK = {"event_id": "e", "user_id": "u", "item_id": "i", "action": "view", "timestamp": BASE}


def translated(value: bytes | Rejection, source: str = "shop", **settings: Any) -> Translation:
    translator = Translator(load_settings(rekey_sources="shop,bare=clicks,gone=erasures", **settings))
    (found,) = translator.translate([Sourced(source, 2, 7, value)], BASE)
    return found


def test_every_event_is_one_that_a_worker_takes() -> None:
    decoder = Decoder()
    for line in shop_lines(3, 300, 9):
        (event,) = translated(as_call(line)).events
        decoded = decoder.decode(event.topic, event.key, event.value, BASE)
        assert not isinstance(decoded, Rejection), decoded
        assert decoded.user_id == line["value"]["user_id"]


@pytest.mark.parametrize("without", [{}, {"event_id": None}])
def test_an_event_without_an_id_gets_its_place(without: dict[str, Any]) -> None:
    nameless = {name: value for name, value in CLICK.items() if name != "event_id"} | without
    (wrapped,) = translated(orjson.dumps({"topic": "clicks", "value": nameless})).events
    (bare,) = translated(orjson.dumps(nameless), "bare").events
    assert orjson.loads(wrapped.value)["event_id"] == "shop/2/7"
    assert orjson.loads(bare.value)["event_id"] == "bare/2/7"
    assert (bare.topic, bare.key) == ("clicks", b"u")


def test_the_id_of_a_topic_with_a_long_name_is_an_id() -> None:
    name = "x" * 249
    translator = Translator(load_settings(rekey_sources=f"{name}=clicks"))
    value = orjson.dumps({key: of for key, of in CLICK.items() if key != "event_id"})
    events = [translator.translate([Sourced(name, 0, offset, value)], BASE)[0].events[0] for offset in (1, 2)]
    ids = {orjson.loads(event.value)["event_id"] for event in events}
    assert len(ids) == 2


def test_an_erasure_has_no_id() -> None:
    value = orjson.dumps({"user_id": "u", "timestamp": BASE})
    assert translated(value, "gone").events == [Record("erasures", b"u", value)]


def test_a_sound_record_without_an_event_is_left_out() -> None:
    found = translated(b'{"type": "identify", "userId": "u"}')
    assert (found.events, found.rejection, found.left_out) == ([], None, "not about a product")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", Reason.MALFORMED),
        (Withheld.because(Why.TOO_LARGE), Reason.TOO_LARGE),
        (Withheld.because(Why.UNREADABLE), Reason.MALFORMED),
        (b"x" * (MAX_TOPIC_BYTES + 1), Reason.TOO_LARGE),
        (Rejection(Reason.MALFORMED, "record: so"), Reason.MALFORMED),
        (orjson.dumps({"topic": "clicks", "value": CLICK | {"currency": "EUR"}}), Reason.INVALID),
        (orjson.dumps({"topic": "clicks", "value": CLICK | {"timestamp": 2 * BASE}}), Reason.FUTURE),
        (orjson.dumps({"topic": "clicks", "key": "v", "value": CLICK}), Reason.KEY_MISMATCH),
        (orjson.dumps({"topic": "purchasing-power", "value": {}}), Reason.INVALID),
    ],
)
def test_what_is_refused_has_the_reason_that_a_worker_gives(value: bytes | Rejection, reason: Reason) -> None:
    found = translated(value)
    assert found.events == []
    assert found.rejection is not None
    assert found.rejection.reason is reason


def test_a_bare_event_cannot_name_another_topic() -> None:
    found = translated(b'{"user_id":"u","timestamp":1},"topic":"erasures"', "bare")
    assert found.events == []
    assert found.rejection is not None


def test_a_part_of_an_order_that_is_refused_keeps_no_other_back() -> None:
    products = [{"product_id": "a", "price": 2}, {"product_id": "b", "price": 9e9}, {"product_id": "c"}]
    order = {"type": "track", "event": "Order Completed", "userId": "u", "messageId": "m", "timestamp": BASE}
    found = translated(orjson.dumps(order | {"properties": {"products": products}}))
    assert [orjson.loads(event.value)["event_id"] for event in found.events] == ["m/0", "m/2"]
    assert found.rejection is not None
    headers = marks("segment", found.events)
    assert marked(headers) == {mark_of(event) for event in found.events}
    assert marked([("reason", b"invalid")]) is None
    assert marked(marks("own", [])) == frozenset()


@settings(deadline=None)
@given(
    st.binary(max_size=300)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["topic", "value", "type", "event", "userId", "user_id", "event_id", "properties", "raw"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    ).map(lambda found: repr(found).replace("'", '"').encode()),
    st.sampled_from(["shop", "bare", "gone"]),
)
def test_any_bytes_become_events_or_are_accounted_for(value: bytes, source: str) -> None:
    found = translated(value.strip(), source)
    assert found.events or found.rejection or found.left_out
    assert "\n" not in (found.rejection.detail if found.rejection else "")
