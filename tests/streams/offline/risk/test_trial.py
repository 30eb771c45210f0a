"""The trial of risk on a few made-up items: what is planted is watched, judged and written down."""

from __future__ import annotations

import random

import pytest

from features.tiles import DAY, HOUR
from streams.offline.risk import trial
from streams.offline.risk.campaigns import (
    ATTACK,
    CAMPAIGNS,
    COPIES,
    FLASH,
    ORDINARY,
    PAID,
    PLANTED,
    PRAISE_BURST,
    PROMOTIONS,
    SIZES,
    flash,
)
from streams.offline.risk.judging import judge
from streams.offline.risk.page import page
from streams.offline.risk.rewriting import rewritten
from streams.offline.risk.traffic import Item, Said
from streams.offline.risk.trial import Watched

BEGIN = 1_780_000_000_000
ENGLISH = "The jacket is warm and very light, the zip runs well, and after a month of rain it is as good as new"
CHINESE = "衣服很暖和，也很轻，拉链顺滑，下了一个月的雨之后看起来还像新的一样，值得购买。"


def quiet(*_: object) -> None:
    """Say nothing."""


def texts() -> dict[bool, list[Said]]:
    rng = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz "
    said = {}
    for praises in (True, False):
        some = ["".join(rng.choices(letters, k=90)) for _ in range(60)]
        said[praises] = [Said(text, praises, 0.8 if praises else -0.8) for text in some]
    return said


def item(name: str) -> Item:
    rng = random.Random(name)
    return Item(name, "any", 0.2, 0.8, sorted(BEGIN + rng.randrange(300 * DAY) for _ in range(250)))


@pytest.mark.parametrize("kind", CAMPAIGNS)
def test_a_campaign_is_of_its_size_and_falls_into_the_time_that_is_watched(kind: str) -> None:
    for size in SIZES:
        planted = PLANTED[kind](BEGIN, size, texts(), random.Random(2))
        assert len(planted) == size
        assert {review.rating for review in planted} == ({1} if kind == ATTACK else {5})
        assert all(BEGIN <= review.timestamp < BEGIN + 14 * DAY for review in planted)


def test_what_is_planted_is_found_and_promotions_are_not() -> None:
    kinds = [ORDINARY, *PROMOTIONS, PRAISE_BURST, ATTACK, COPIES] * 4
    items = [item(f"i{number}") for number in range(len(kinds))]
    watched = trial.run(items, kinds, {"any": texts()}, random.Random(3), quiet)
    found = {kind: [each.score >= 70 for each in watched if each.kind == kind] for kind in kinds}
    assert not any(found[ORDINARY] + found[PROMOTIONS[0]] + found[FLASH])
    assert all(found[COPIES])
    assert sum(found[PRAISE_BURST] + found[ATTACK]) >= 5
    for each in watched:
        assert [score for _, score in each.rises] == sorted(score for _, score in each.rises)


def test_the_same_seed_gives_the_same_trial() -> None:
    def once() -> list[Watched]:
        return trial.run([item("a")], [PAID], {"any": texts()}, random.Random(4), quiet)

    assert once() == once()


def watched(kind: str, score: float, number: int) -> Watched:
    return Watched(f"{kind}{number}", kind, 6 if kind in CAMPAIGNS else 0, score, (1.0,) + (0.0,) * 5, ((2.0, score),))


def test_the_threshold_comes_from_one_half_and_the_figures_from_the_other() -> None:
    # At even places, which choose, an ordinary item has 40; at odd ones, which are judged, one has 80.
    kinds = (ORDINARY, ORDINARY, *PROMOTIONS, *CAMPAIGNS)
    pairs = [
        (watched(kind, 40 if kind == ORDINARY else 90 if kind in CAMPAIGNS else 0, number),
         watched(kind, 80 if kind == ORDINARY and not number else 90 if kind in CAMPAIGNS else 0, number + 1_000))
        for number in range(5)
        for kind in kinds
    ]  # fmt: skip
    document = judge([each for pair in pairs for each in pair], draws=20, seed=0)
    assert document["threshold"] == 41
    judged = document["judged"]
    assert judged["false"]["flagged"] == 2
    assert judged["recall"]["value"] == 1.0
    assert judged["precision"]["value"] == pytest.approx(20 / 22)
    assert judged["precision"]["low"] <= judged["precision"]["value"] <= judged["precision"]["high"]
    assert judged["kinds"][COPIES]["hours"] == 2.0
    assert judged["kinds"][COPIES]["by_size"]["6"] == {"items": 5, "flagged": 5}


def test_the_page_has_every_kind_and_says_what_it_is_not() -> None:
    kinds = (ORDINARY, ORDINARY, *PROMOTIONS, *CAMPAIGNS) * 2
    document = judge([watched(kind, 0, number) for number, kind in enumerate(kinds)], draws=5, seed=0)
    length = {"texts": 5, "rewritten": 2, "found": 0.99, "false": 1e-5, "false_same_subject": None}
    written = page(
        document
        | {
            "likeness": {"any": {"short": length}},
            "embedding": {"any": {"rewritten": 2, "signature": 0.9, "embedding": None}},
            "polarity": {"any": {"texts": 5, "honest": 0.1, "contrary": 0.5}},
            "memory": {"reviews": 48, "bytes": 28, "signature_bytes": 17},
            "promoted": {
                "products": 9, "promoted": 8, "items": 7, "lines": {"median": 6, "most": 50},
                "flagged": {"reviewed as usual": {"threshold": 1, "at_alert": 0, "greatest": 61.0}},
            },
            "reviews": 10, "purchases": 20, "encoder": "e", "head": "h", "seed": 0,
        }
    )  # fmt: skip
    assert "never a verdict" in written
    assert "composite" in written
    assert "| reviewed as usual | 7 | 1 | 0 | 61 |" in written
    for kind in kinds:
        assert f"| {kind} |" in written


@pytest.mark.parametrize("text", [ENGLISH, CHINESE, "ok", "好", "", " "])
def test_a_rewrite_differs_little_and_never_fails(text: str) -> None:
    rng = random.Random(5)
    for edits in range(1, 8):
        rewrite = rewritten(text, rng, edits)
        assert len(rewrite) <= 2 * len(text) + 60
        if len(text) > 20:
            assert len(rewrite) > len(text) // 2


def test_the_time_between_promotion_and_review_is_a_week() -> None:
    one = item("b")
    before = len(one.bought)
    flash(one, BEGIN + 100 * DAY, texts(), random.Random(6))
    assert len(one.bought) > before
    assert one.reviews
    assert all(0 <= each.timestamp - BEGIN - 107 * DAY < 24 * HOUR for each in one.reviews)
