"""What the encoder reads: one line without markup, links, tricks and personal data, however hostile the text."""

import sys
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.patience import PATIENCE_S

from models.text import cleaning, masking
from models.text.cleaning import clean, fingerprint

CLEANED = {
    "": "",
    " \t\r\n\u3000\u00a0": "",
    "Ｇｒｅａｔ　ｐｈｏｎｅ！": "Great phone!",
    "ｶﾞ": "ガ",
    "a<br/>b <b>bold</b>": "a b bold",
    '<p class="x">text</p><!-- note -->': "text",
    "I <3 it, size <10 and >5": "I <3 it, size <10 and >5",
    "<Great product>": "<Great product>",
    "Tom &amp; Jerry &lt;3 &#20320;&#x597D;": "Tom & Jerry <3 你好",
    "&amp;lt;b&amp;gt;x": "x",
    "AT&T R&B a&b;": "AT&T R&B a&b;",
    "see https://example.com/a?b=1#c.": "see .",
    "看www.taobao.com/x很好": "看 很好",
    "bit.ly/2abc": "",
    "from example.com!": "from !",
    "Looks great.It works": "Looks great.It works",
    "version 2.5 is great.top": "version 2.5 is great.top",
    "a\u200bb\u202ec\x00d\ufeffe\ud800": "abcde",
    "soooooo good!!!!!": "sooo good!",
    "好好好好好好": "好好好",
    "哈哈哈": "哈哈哈",
    "真的吗？？？？": "真的吗?",
    "10000元 1000000": "10000元 1000000",
    "27'' monitor C++ $$$$$$": "27'' monitor C++ $$$",
    "great😀😀👍🏻!": "great grinning face !",
    "😡 😡\n😡": "enraged face",
    "🇨🇳 1️⃣ ❤️": "China 1 red heart",
    "👨\u200d👩\u200d👧": "man",
    "mail a@example.com or [b@example.com]": "mail [EMAIL] or [EMAIL]",
    "电话１３８００１３８０００": "电话[PHONE]",
    "138<b>0013</b>8000": "[PHONE]",
    "iPhone 15, $1,299.00": "iPhone 15, $1,299.00",
}


@pytest.mark.parametrize(("text", "cleaned"), CLEANED.items())
def test_a_text_is_cleaned(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


WORDS = """
<b> </p> < > <h1 <!-- --> <<i> / // & &amp; amp; lt; &# 38; &#108 + - a b zzzz 好 ｱ ﾞ ＜ ＆ ； ᄀ ᅡ ᆨ ﷺ _ ( )
http: https:// www. x.com t.me/ . .. @ a@b.com [ ] [EMAIL] [PHONE] ! ? 0 1 8000 13800138000
11010519491231002X 536-90-4399 4111-1111-1111-1111 😀 🇨🇳 🥇 ❤
"""
PIECES = st.sampled_from(
    [
        *WORDS.split(),
        *("138 0013", "4111 1111", " ", "\n", "\u3000", "\u00a0"),
        *("\ufe0f", "\u200d", "\u200b", "\u0301", "\u0327", "\u20e3", "\ud800", "\U0001f1e6"),
    ]
)


@settings(max_examples=400)
@given(st.lists(PIECES, max_size=14).map("".join))
@example("<b<i>>")
@example("&##38;lt;b&#gt;")
@example("<bhttp://x.com>")
@example("x.comx.comwww.ab")
@example("x.comhttp://y")
@example("好..13800138000t.me/")
@example("<h1http://x.com>")
@example("_13800138000x.com")
@example("x.com13800138000")
@example("[[a@b.com]]")
@example("<!doctype13800138000>")
@example("11010519491231002Xwww.x.com")
def test_cleaning_a_cleaned_text_changes_nothing(text: str) -> None:
    once = clean(text)
    assert clean(once) == once


@given(st.text(st.characters()))
def test_any_text_becomes_one_normalised_line_of_visible_characters(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert cleaned == " ".join(cleaned.split())
    assert unicodedata.is_normalized("NFKC", cleaned)
    assert not any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co"} for character in cleaned)


def test_every_character_that_shows_nothing_is_removed() -> None:
    hidden = [
        character
        for character in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co"} and not character.isspace()
    ]
    assert clean("".join(hidden)) == ""


def test_every_character_that_nfkc_changes_is_cleaned_in_one_pass() -> None:
    changed = [character for character in map(chr, range(0xD800)) if not unicodedata.is_normalized("NFKC", character)]
    assert len(changed) > 1000
    assert [character for character in changed if clean(clean(character)) != clean(character)] == []


HOSTILE = {
    "open brackets": "<" * 32768,
    "tags without an end": "<b" * 16384,
    "tags closed at the end": "<b" * 10000 + ">" * 10000,
    "comments without an end": "<!--" * 8192,
    "entities": "&amp;" * 8000,
    "entities in entities": "&" + "amp;" * 8000 + "lt;b&gt;",
    "half entities": "&#1" * 10000,
    "at signs": "@" * 32768,
    "locals without a domain": "a@" * 16384,
    "domain without an end": "a@" + "b." * 16000,
    "labels": "a." * 16384,
    "hyphens": "a-" * 16384,
    "schemes": "http://" * 4600,
    "hosts": "www." * 8192,
    "one digit": "1" * 32768,
    "zeros": "0" * 32768,
    "spaced digits": "1 " * 16384,
    "dashed digits": "1-" * 16384,
    "brackets and digits": "(0" * 16384,
    "plus signs": "+" * 32768,
    "numbers": "13800138000 " * 2700,
    "numbers that are none": "15400138000 " * 2700,
    "groups of an international number": "+1 22 333 44 55 66 " * 1700,
    "cards that are none": "4111 1111 1111 1112 " * 1600,
    "ids that are none": "110105194912310021 " * 1700,
    "spaces": " " * 32768,
    "emoji and spaces": "😀" + " " * 32000 + "x",
    "emoji": "😀" * 8192,
    "combining marks": "a" + "\u0301\u0327" * 8000,
    "long decompositions": "ﷺ" * 10000,
    "surrogates": "\ud800" * 10000,
    "one letter": "a" * 32768,
    "brackets": "[" * 32768,
}


@pytest.mark.timeout(PATIENCE_S)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_texts_of_the_largest_size_are_cleaned_and_stay_clean(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert cleaned == " ".join(cleaned.split())


def test_the_fingerprint_is_a_sha256_that_does_not_vary() -> None:
    assert fingerprint() == fingerprint()
    assert len(bytes.fromhex(fingerprint())) == 32


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (cleaning, "MAX_RUN", 4),
        (cleaning, "REVISION", 99),
        (cleaning, "LIBRARIES", ("0", "0")),
        (cleaning, "TAG", cleaning.ENTITY),
        (cleaning, "EMOJI_NAMES", {"😀": "smile"}),
        (masking, "PHONE_TOKEN", "<PHONE>"),
        (masking, "CARD", masking.EMAIL),
        (masking, "E164_DIGITS", range(7, 16)),
    ],
)
def test_a_changed_rule_changes_the_fingerprint(
    monkeypatch: pytest.MonkeyPatch, module: object, name: str, value: object
) -> None:
    before = fingerprint()
    monkeypatch.setattr(module, name, value)
    assert fingerprint() != before


def test_a_rule_of_an_unknown_type_is_refused_rather_than_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "MAX_RUN", object())
    with pytest.raises(TypeError, match="found object"):
        fingerprint()
