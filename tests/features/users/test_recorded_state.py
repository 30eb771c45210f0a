"""States as releases have written them: every later one has to read them, so that an upgrade can roll."""

from __future__ import annotations

import base64

import msgspec
import numpy as np
import pytest
from support.version_3 import as_version_3

from features.exceptions import StateFormatError
from features.observation import Kind, Observation, Source, category_key, event_key
from features.tiles import DAY
from features.users import codec, row
from features.users.catalogue import NAMES
from features.users.columns import WIDTHS
from features.users.state import UserState

NEWEST = 1_764_000_000_000
HEADER_BYTES = 17
# Where the body has its tiles.
BY_FIVE_MINUTES, BY_DAY = 9, 11
LIFE = 16
ENCODER = "all-MiniLM-L6-v2@0123456789ab"

# Version 1: two purchases 40 days apart, a view, a search, a review and a noisy review.
VERSION_1 = """
AQAAAZq2l+QYAAAAAAAAAAbcABAGlAYAB//AzwAAAZq2l+gAzwAAAZnomYgAzwAAAZq2l+gAAs4CE3awk8QQeLpm2G9xQkDEES62ob/CzsQIaJ
T3WX57iEHEGIs+2fAhO6am7e/WFVoIAcuT6B+ZfhSUsNwAGM4AWbi0AAAAAAEAAM4AWbi/AAAAAAACAM4AWbjAAAAAAQAAzgBT7GDcAB7OAAd5
yAEAAAAAAADOAJghUAHOAAd6DwAAAAABAgAAAM4AB3oQAAAAAQAAzgBT7GAAANwAGs1PvQEAAAAAAADOAJghUAEAAADNT8AAAAABAQLOAFPsYA
AAAc4ATEtAAYHNT8CCzs1n724Bzkgpq6kBvWFsbC1NaW5pTE0tTDYtdjJAMDEyMzQ1Njc4OWFizwAAAZq2lv2gxQIAIK1Y8EwI4D8ghwB7CQjg
Px5hqAXGB+A/HDtQkIIH4D8cFfgaPwfgPxzvn6X7BuA/GslHMLgG4D8Yo++6dAbgPxh9l0UxBuA/GFc/0O0F4D8WMedaqgXgPxQLj+VmBeA/FO
U2cCMF4D8Uv9763wTgPxKZhoWcBOA/EHMuEFkE4D8QTdaaFQTgPw8nfiXSA+A/DgEmsI4D4D8M2806SwPgPwy1dcUHA+A/C48dUMQC4D8KacXa
gALgPwhDbWU9AuA/CB0V8PkB4D8H97x6tgHgPwbRZAVzAeA/BKsMkC8B4D8EhbQa7ADgPwNfXKWoAOA/AjkEMGUA4D8AE6y6IQDgP//Zp4q8/9
8//Y33nzX/3z/7QUe1rv7fP/n1lson/t8/96nm36D93z/1XTb1Gf3fP/MRhgqT/N8/8cXVHwz83z/ueSU1hfvfP+wtdUr++t8/6uHEX3f63z/o
lRR18PnfP+ZJZIpp+d8/5P2zn+L43z/isQO1W/jfP+BlU8rU998/3hmj30333z/czfL0xvbfP9qBQgpA9t8/2DWSH7n13z/W6eE0MvXfP9SdMU
qr9N8/0lGBXyT03z/QBdF0nfPfP865IIoW898/zG1wn4/y3z/KIcC0CPLfP8jVD8qB8d8/xolf3/rw3z/EPa/0c/DfP8Lx/gnt798/wKVOH2bv
3z8=
"""

# Version 2: the same user, erased once.
VERSION_2 = """
AgAAAZq2l+QYAAAAAAAAAAbcABEGlAYAB//PAAABmnr9HgDPAAABmraX6ADPAAABmeiZiADPAAABmraX6AACzgITdrCTxBB4umbYb3FCQMQRLr
ahv8LOxAholPdZfnuIQcQYiz7Z8CE7pqbt79YVWggBy5PoH5l+FJSw3AAYzgBZuLQAAAAAAQAAzgBZuL8AAAAAAAIAzgBZuMAAAAABAADOAFPs
YNwAHs4AB3nIAQAAAAAAAM4AmCFQAc4AB3oPAAAAAAECAAAAzgAHehAAAAABAADOAFPsYAAA3AAazU+9AQAAAAAAAM4AmCFQAQAAAM1PwAAAAA
EBAs4AU+xgAAABzgBMS0ABgc1PwILOzWfvbgHOSCmrqQG9YWxsLU1pbmlMTS1MNi12MkAwMTIzNDU2Nzg5YWLPAAABmraW/aDFAgAgrVjwTAjg
PyCHAHsJCOA/HmGoBcYH4D8cO1CQggfgPxwV+Bo/B+A/HO+fpfsG4D8ayUcwuAbgPxij77p0BuA/GH2XRTEG4D8YVz/Q7QXgPxYx51qqBeA/FA
uP5WYF4D8U5TZwIwXgPxS/3vrfBOA/EpmGhZwE4D8Qcy4QWQTgPxBN1poVBOA/Dyd+JdID4D8OASawjgPgPwzbzTpLA+A/DLV1xQcD4D8Ljx1Q
xALgPwppxdqAAuA/CENtZT0C4D8IHRXw+QHgPwf3vHq2AeA/BtFkBXMB4D8EqwyQLwHgPwSFtBrsAOA/A19cpagA4D8COQQwZQDgPwATrLohAO
A//9mnirz/3z/9jfefNf/fP/tBR7Wu/t8/+fWWyif+3z/3qebfoP3fP/VdNvUZ/d8/8xGGCpP83z/xxdUfDPzfP+55JTWF+98/7C11Sv763z/q
4cRfd/rfP+iVFHXw+d8/5klkimn53z/k/bOf4vjfP+KxA7Vb+N8/4GVTytT33z/eGaPfTfffP9zN8vTG9t8/2oFCCkD23z/YNZIfufXfP9bp4T
Qy9d8/1J0xSqv03z/SUYFfJPTfP9AF0XSd898/zrkgihbz3z/MbXCfj/LfP8ohwLQI8t8/yNUPyoHx3z/GiV/f+vDfP8Q9r/Rz8N8/wvH+Ce3v
3z/ApU4fZu/fPwE=
"""

# Version 3: the same user again; the widths of the tiles are stored.
VERSION_3 = """
AwAAAZq2l+QYAAAAAAAAAAbcABIGlAYAB//PAAABmnr9HgDPAAABmraX6ADPAAABmeiZiADPAAABmraX6AACzgITdrCTxBB4umbYb3FCQMQRLra
hv8LOxAholPdZfnuIQcQYiz7Z8CE7pqbt79YVWggBy5PoH5l+FJSw3AAYzgBZuLQAAAAAAQAAzgBZuL8AAAAAAAIAzgBZuMAAAAABAADOAFPsYN
wAHs4AB3nIAQAAAAAAAM4AmCFQAc4AB3oPAAAAAAECAAAAzgAHehAAAAABAADOAFPsYAAA3AAazU+9AQAAAAAAAM4AmCFQAQAAAM1PwAAAAAEBA
s4AU+xgAAABzgBMS0ABgc1PwILOzWfvbgHOSCmrqQG9YWxsLU1pbmlMTS1MNi12MkAwMTIzNDU2Nzg5YWLPAAABmraW/aDFAgAgrVjwTAjgPyCH
AHsJCOA/HmGoBcYH4D8cO1CQggfgPxwV+Bo/B+A/HO+fpfsG4D8ayUcwuAbgPxij77p0BuA/GH2XRTEG4D8YVz/Q7QXgPxYx51qqBeA/FAuP5WY
F4D8U5TZwIwXgPxS/3vrfBOA/EpmGhZwE4D8Qcy4QWQTgPxBN1poVBOA/Dyd+JdID4D8OASawjgPgPwzbzTpLA+A/DLV1xQcD4D8Ljx1QxALgPw
ppxdqAAuA/CENtZT0C4D8IHRXw+QHgPwf3vHq2AeA/BtFkBXMB4D8EqwyQLwHgPwSFtBrsAOA/A19cpagA4D8COQQwZQDgPwATrLohAOA//9mni
rz/3z/9jfefNf/fP/tBR7Wu/t8/+fWWyif+3z/3qebfoP3fP/VdNvUZ/d8/8xGGCpP83z/xxdUfDPzfP+55JTWF+98/7C11Sv763z/q4cRfd/rf
P+iVFHXw+d8/5klkimn53z/k/bOf4vjfP+KxA7Vb+N8/4GVTytT33z/eGaPfTfffP9zN8vTG9t8/2oFCCkD23z/YNZIfufXfP9bp4TQy9d8/1J0
xSqv03z/SUYFfJPTfP9AF0XSd898/zrkgihbz3z/MbXCfj/LfP8ohwLQI8t8/yNUPyoHx3z/GiV/f+vDfP8Q9r/Rz8N8/wvH+Ce3v3z/ApU4fZu
/fPwGTCAoN
"""

# Version 4: the same user once more, who then bought an order of two lines and was refunded; one title waits.
VERSION_4 = """
BAAAAZq2l+QYAAAAAAAAAAncABkJlAYACv/PAAABmnr9HgDPAAABmraX6ADPAAABmeiZiADPAAABmraX6AAEzgKsDTCTxBB4umbYb3FCQMQRLrahv8LOxAh
olPdZfnuIQcQwiz7Z8CE7pqbt79YVWggBy5PoH5l+FJSwAAAAAAAAAAgAAAAAAAAACQAAAAAAAAAK3AAnzgBZuLQAAAAAAQAAAAAAAADOAFm4vwAAAAAAAg
AAAAAAAM4AWbjAAAAAAgAAzgCQ9WAAAc4AHoSAAQPcADzOAAd5yAEAAAAAAADOAJghUAEAAAAAAM4AB3ngAAAAAQAAzgBbjYAAAAAAAAEBzgAHeg8AAAAAA
QIAAAAAAAAAAM4AB3oQAAAAAgAAzgCQ9WAAAAABzgAehIABA9wANs1PvQEAAAAAAADOAJghUAEAAAAAAAAAAM1PvgAAAAEAAM4AW42AAAABAAAAAAABAc1P
wAAAAAIBAs4AkPVgAAACzgBMS0ABAAHOAB6EgAEDgc1PwILOzWfvbgHOSCmrqQG9YWxsLU1pbmlMTS1MNi12MkAwMTIzNDU2Nzg5YWLPAAABmraW/aDFAgA
grVjwTAjgPyCHAHsJCOA/HmGoBcYH4D8cO1CQggfgPxwV+Bo/B+A/HO+fpfsG4D8ayUcwuAbgPxij77p0BuA/GH2XRTEG4D8YVz/Q7QXgPxYx51qqBeA/FA
uP5WYF4D8U5TZwIwXgPxS/3vrfBOA/EpmGhZwE4D8Qcy4QWQTgPxBN1poVBOA/Dyd+JdID4D8OASawjgPgPwzbzTpLA+A/DLV1xQcD4D8Ljx1QxALgPwppx
dqAAuA/CENtZT0C4D8IHRXw+QHgPwf3vHq2AeA/BtFkBXMB4D8EqwyQLwHgPwSFtBrsAOA/A19cpagA4D8COQQwZQDgPwATrLohAOA//9mnirz/3z/9jfef
Nf/fP/tBR7Wu/t8/+fWWyif+3z/3qebfoP3fP/VdNvUZ/d8/8xGGCpP83z/xxdUfDPzfP+55JTWF+98/7C11Sv763z/q4cRfd/rfP+iVFHXw+d8/5klkimn
53z/k/bOf4vjfP+KxA7Vb+N8/4GVTytT33z/eGaPfTfffP9zN8vTG9t8/2oFCCkD23z/YNZIfufXfP9bp4TQy9d8/1J0xSqv03z/SUYFfJPTfP9AF0XSd89
8/zrkgihbz3z/MbXCfj/LfP8ohwLQI8t8/yNUPyoHx3z/GiV/f+vDfP8Q9r/Rz8N8/wvH+Ce3v3z/ApU4fZu/fPwGTDQ8SA84AHoSAxBBQpRnDEtPW+gAAA
ZqsSzAAvWFsbC1NaW5pTE0tTDYtdjJAMDEyMzQ1Njc4OWFizwAAAZq2l+gAxQIAAAAAAAAA8L+/7/u+7/vuv37f933f9+2/Pc/zPM/z7L/8vu/7vu/rv7uu
67qu6+q/ep7neZ7n6b85juM4juPov/h93/d93+e/t23btm3b5r92Xdd1XdflvzVN0zRN0+S/9DzP8zzP47+zLMuyLMviv3Icx3Ecx+G/MQzDMAzD4L/g933
f933fv17XdV3Xdd2/3LZt27Zt279almVZlmXZv9h1Xdd1Xde/VlVVVVVV1b/UNE3TNE3Tv1IURVEURdG/oOd5nud5zr+cpmmapmnKv5hlWZZlWca/lCRJki
RJwr8gx3Ecx3G8vxhFURRFUbS/IIZhGIZhqL8gBEEQBEGQvwAEQRAEQZA/AIZhGIZhqD8QRVEURVG0PyDHcRzHcbw/kCRJkiRJwj+QZVmWZVnGP5imaZqma
co/oOd5nud5zj9QFEVRFEXRP9A0TdM0TdM/VFVVVVVV1T/YdV3XdV3XP1iWZVmWZdk/2LZt27Zt2z9c13Vd13XdP+D3fd/3fd8/MAzDMAzD4D9wHMdxHMfh
P7Isy7Isy+I/9DzP8zzP4z80TdM0TdPkP3Rd13Vd1+U/tm3btm3b5j/4fd/3fd/nPziO4ziO4+g/eJ7neZ7n6T+6ruu6ruvqP/y+7/u+7+s/PM/zPM/z7D9
83/d93/ftP77v+77v++4/AAAAAAAA8D+RCQ==
"""


def decoded(recorded: str) -> bytes:
    return base64.b64decode("".join(recorded.split()))


def fields(encoded: bytes) -> list:
    return msgspec.msgpack.decode(encoded[HEADER_BYTES:])


def rewritten(body: list) -> bytes:
    return decoded(VERSION_3)[:HEADER_BYTES] + msgspec.msgpack.encode(body)


@pytest.mark.parametrize("recorded", [VERSION_1, VERSION_2, VERSION_3], ids=["version 1", "version 2", "version 3"])
def test_a_recorded_state_is_read_as_it_was_written(recorded):
    state = codec.decode(decoded(recorded))
    served = dict(zip(NAMES, row.scalars(state, NEWEST), strict=True))
    assert (state.epoch, state.sequence, state.revision) == (1_763_999_999_000, 6, 6)
    assert (state.newest, state.offsets) == (NEWEST, [6, 0, 7, -1])
    assert {name: served[name] for name in ("purchases_30d", "lifetime_purchases", "lifetime_spend")} == {
        "purchases_30d": 1,
        "lifetime_purchases": 2,
        "lifetime_spend": 34.83,
    }
    assert (served["views_7d"], served["mean_viewed_price_7d"], served["views_24h"]) == (1, 9.97, 0)
    assert (served["reviews_1h"], served["mean_rating_30d"], served["noisy_reviews_30d"]) == (2, 2.5, 1)
    assert (served["searches_24h"], served["tenure_days"]) == (1, 40.0)
    assert state.categories.counts(NEWEST) == {category_key("jazz"): 1, category_key("rock"): 1}
    total = 0.5 * 2.0 ** (-3_540_000 / (14 * DAY)) * np.linspace(-1, 1, 64) + np.linspace(1, 0, 64)
    np.testing.assert_allclose(row.profile(state, ENCODER), total / np.linalg.norm(total), atol=1e-6)


def test_lives_are_counted_from_version_2_on():
    assert codec.decode(decoded(VERSION_2)).life == 1
    never_erased = codec.decode(decoded(VERSION_1))
    assert (never_erased.erased_at, never_erased.life) == (None, 0)


def test_a_user_whose_erasure_nobody_counted_has_had_one():
    state = UserState()
    state.erase(NEWEST, 0, Source.ERASURES)
    body = fields(codec.encode(state))
    assert body[LIFE] == 1
    before = b"\x01" + codec.encode(state)[1:HEADER_BYTES] + msgspec.msgpack.encode(body[:LIFE])
    assert codec.decode(before).life == 1


def test_a_state_of_a_later_version_is_refused_with_what_to_do():
    later = b"\x05" + decoded(VERSION_1)[1:]
    with pytest.raises(codec.StateFormatError, match="version 5: run the release that wrote it"):
        codec.decode(later)


def test_a_state_with_a_field_that_is_not_known_is_refused_with_what_to_do():
    more = rewritten([*fields(decoded(VERSION_4)), 0])
    with pytest.raises(codec.StateFormatError, match="at most 25 fields, found 26: run the release that wrote it"):
        codec.decode(more)


def test_columns_that_a_state_was_stored_without_are_zero():
    stored = fields(decoded(VERSION_3))
    # The last column of the longest tiles and the last of the shortest, as if both had come later.
    for place, width in ((BY_FIVE_MINUTES, 8), (BY_DAY, 13)):
        flat = stored[place]
        assert any(flat[width - 1 :: width]), "there is something to lose"
        stored[place] = [number for at, number in enumerate(flat) if (at + 1) % width]
    state = codec.decode(rewritten([*stored[:-1], [7, 10, 12]]))
    lacking = codec.decode(decoded(VERSION_3))
    for level, last in ((lacking.by_five_minutes, 7), (lacking.by_day, 12)):
        level.flat[last :: level.width] = [0] * len(level.indices)
    assert row.scalars(state, NEWEST) == row.scalars(lacking, NEWEST)
    assert codec.encode(state) == codec.encode(lacking), "it is written as wide as tiles are now"


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_state_with_a_column_that_is_not_known_is_refused_with_what_to_do(level):
    widths = list(WIDTHS)
    widths[level] += 1
    with pytest.raises(codec.StateFormatError, match="run the release that wrote them, or a later one") as refused:
        codec.decode(rewritten([*fields(decoded(VERSION_3))[:-1], widths]))
    assert "\n" not in str(refused.value)


def test_a_state_with_another_number_of_levels_is_refused():
    with pytest.raises(codec.StateFormatError, match="run the release that wrote them, or a later one"):
        codec.decode(rewritten([*fields(decoded(VERSION_3))[:-1], [*WIDTHS, 5]]))


@pytest.mark.parametrize("width", [0, 9])
def test_tiles_that_are_not_of_their_width_are_damaged(width):
    with pytest.raises(codec.StateFormatError, match="damaged"):
        codec.decode(rewritten([*fields(decoded(VERSION_3))[:-1], [8, width, 13]]))


def test_reading_and_writing_a_state_changes_nothing_that_is_served():
    state = codec.decode(decoded(VERSION_1))
    again = codec.decode(codec.encode(state))
    for instant in (NEWEST, NEWEST + DAY, NEWEST + 29 * DAY, NEWEST + 100 * DAY):
        assert row.scalars(again, instant) == row.scalars(state, instant)


def test_a_state_whose_tiles_are_cut_off_is_damaged():
    state = UserState()
    state.apply(Observation(Kind.VIEW, Source.CLICKS, 1, NEWEST, b"12345678"), "")
    state.by_day.flat.pop()
    with pytest.raises(StateFormatError, match="damaged ones: one is cut off"):
        codec.decode(codec.encode(state))


def test_a_state_of_version_4_is_read_as_it_was_written():
    state = codec.decode(decoded(VERSION_4))
    served = dict(zip(NAMES, row.scalars(state, NEWEST), strict=True))
    assert (served["orders_24h"], served["orders_7d"], served["purchases_7d"]) == (1, 2, 3)
    assert (served["units_1h"], served["units_30d"], served["lifetime_orders"]) == (3, 4, 3)
    assert (served["refunds_1h"], served["refunded_30d"], served["lifetime_refunded"]) == (1, 2.0, 2.0)
    assert state.waiting == [9]
    wanted = np.linspace(-1, 1, 64)
    np.testing.assert_allclose(row.taste(state, ENCODER), wanted / np.linalg.norm(wanted), atol=1e-6)
    assert codec.encode(state) == decoded(VERSION_4)
    further = Observation(Kind.PURCHASE, Source.CLICKS, 11, NEWEST, b"12345678", 1, units=1, order=event_key("basket"))
    state.apply(further, ENCODER)
    assert state.lifetime_orders == 3, "the order is remembered"


@pytest.mark.parametrize("recorded", [VERSION_1, VERSION_2, VERSION_3], ids=["version 1", "version 2", "version 3"])
def test_the_purchases_of_a_state_that_knew_no_orders_are_orders_of_one_piece(recorded):
    served = dict(zip(NAMES, row.scalars(codec.decode(decoded(recorded)), NEWEST), strict=True))
    assert (served["orders_30d"], served["units_30d"], served["lifetime_orders"]) == (1, 1, 2)
    assert served["average_order_value_30d"] == served["mean_paid_30d"] == served["spend_30d"]
    assert (served["net_spend_30d"], served["refunds_30d"]) == (served["spend_30d"], 0)


def test_a_purchase_that_had_no_price_in_a_state_that_knew_no_orders_is_none():
    state = UserState()
    state.apply(Observation(Kind.PURCHASE, Source.CLICKS, 1, NEWEST, b"12345678"), "")
    served = dict(zip(NAMES, row.scalars(codec.decode(as_version_3(state)), NEWEST), strict=True))
    assert (served["orders_30d"], served["average_order_value_30d"]) == (0, None)
