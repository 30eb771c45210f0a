"""Signatures of texts: light rewrites are alike, other texts are not, and short ones say nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.items.review_signature import LEAST_EQUAL, SIGNATURE_BYTES, equal_hashes, says_enough, signature

ENGLISH = "The jacket is warm and light, the zip runs well, and after a month of rain it looks like new."
CHINESE = "衣服很暖和也很轻，拉链顺滑，下了一个月的雨之后看起来还像新的一样，值得购买。"


def equal(one: str, other: str) -> int:
    return int(equal_hashes([signature(one), signature(other)])[0, 1])


@pytest.mark.parametrize(
    ("text", "rewrite"),
    [
        (
            ENGLISH,
            "Honestly, the jacket is warm and light!! The zip runs well and after a month of rain looks like new 👍",
        ),
        (ENGLISH, ENGLISH.replace("jacket", "Alba jacket").replace("like new", "as good as new")),
        (CHINESE, "总的来说，" + CHINESE.replace("，", "！") + "👍👍"),
        (CHINESE, CHINESE.replace("很轻", "非常轻").replace("衣服", "阿尔巴衣服")),
    ],
)
def test_light_rewrites_are_alike(text, rewrite):
    assert equal(text, rewrite) >= LEAST_EQUAL


@pytest.mark.parametrize(
    ("text", "other"),
    [
        (ENGLISH, "The kettle arrived with a dent in its lid, and nobody at the shop answers my letters about it."),
        (CHINESE, "酒店的位置不错，但是房间隔音很差，早餐也没有什么可以吃的东西，下次不会再来了。"),
        (ENGLISH, CHINESE),
    ],
)
def test_other_texts_are_not(text, other):
    assert equal(text, other) < LEAST_EQUAL


@pytest.mark.parametrize(
    ("text", "wide"), [("Good  BATTERY!", "good battery"), ("ｇｏｏｄ　battery", "Good battery 👍")]
)
def test_case_marks_spaces_emojis_and_width_do_not_count(text, wide):
    assert signature(text) == signature(wide)


@pytest.mark.parametrize("text", ["", " ", "!!! 👍👍", "……", "\u200b"])
def test_a_text_without_a_letter_has_none(text):
    assert signature(text) == b""


@pytest.mark.parametrize(
    ("text", "enough"), [("good", False), ("very good", False), ("很好，推荐", False), (CHINESE, True)]
)
def test_a_short_text_says_too_little(text, enough):
    assert says_enough(signature(text)) is enough


@given(st.text(max_size=3_000))
def test_any_text_has_a_signature_of_one_length_or_none(text):
    signed = signature(text)
    assert len(signed) in (0, SIGNATURE_BYTES)
    assert signed == signature(text)


def test_signatures_are_the_same_on_every_machine_and_in_every_release():
    assert signature(ENGLISH).hex() == "47877f6db16214f4b7d659e8df355a567d"
