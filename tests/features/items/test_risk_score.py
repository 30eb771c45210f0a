"""Risk of an item's reviews: what is evidence, what is none, and that the score follows from it."""

from __future__ import annotations

import random
from string import ascii_lowercase

from hypothesis import given, settings
from hypothesis import strategies as st

from features.items import codec
from features.items.fact import Fact
from features.items.review_signature import signature
from features.items.risk_score import EVIDENCE, foremost, risk_block
from features.items.state import ItemState
from features.observation import MICRO, Kind, Source
from features.tiles import DAY, HOUR

BEGIN = 1_790_000_000_000 // DAY * DAY
END = BEGIN + 60 * DAY


def review(
    when: int, rating: float = 5, text: str | None = None, polarity: float | None = 0.8, new: bool = False
) -> Fact:
    signed = signature("".join(random.Random(when).choices(ascii_lowercase, k=80)) if text is None else text)
    micros = None if polarity is None or not signed else round(polarity * MICRO)
    amount = round(rating * MICRO)
    return Fact(Source.REVIEWS, 0, "i", when, Kind.REVIEW, amount, polarity=micros, signature=signed, new_reviewer=new)


def purchase(when: int) -> Fact:
    return Fact(Source.CLICKS, 0, "i", when, Kind.PURCHASE, units=1)


def steady() -> list[Fact]:
    """Sixty days of a purchase every six hours and a review every other day."""
    sold = [purchase(when) for when in range(BEGIN, END, 6 * HOUR)]
    reviewed = range(BEGIN, END, 2 * DAY)
    return sold + [review(when, polarity=0.8) if when // DAY % 3 else review(when, 1, None, -0.8) for when in reviewed]


def folded(facts: list[Fact]) -> ItemState:
    state = ItemState()
    for offset, fact in enumerate(facts):
        fact.offset = offset
        state.apply(fact, 0, "head", offset)
    return state


def told(facts: list[Fact], instant: int = END) -> dict[str, object]:
    block = risk_block(folded(facts), instant)
    assert block is not None
    return block


def test_a_steady_item_is_without_evidence():
    block = told(steady())
    assert block["score"] == 0.0
    assert {block[kind]["decades"] for kind in EVIDENCE} == {0.0}


def test_an_item_without_a_review_in_thirty_days_has_no_block():
    assert risk_block(folded([purchase(BEGIN)]), BEGIN) is None
    assert risk_block(folded([review(BEGIN)]), BEGIN + 40 * DAY) is None


def test_a_burst_that_nothing_explains_is_evidence_and_new_reviewers_add_to_it():
    burst = [END - HOUR * hour for hour in range(1, 11)]
    old = told(steady() + [review(when) for when in burst])
    assert old["burst_24h"]["found"] >= 10
    assert old["burst_24h"]["decades"] > 3
    new = told(steady() + [review(when, new=True) for when in burst])
    assert new["score"] > old["score"] > 70
    assert foremost(old) == "burst_24h"
    assert foremost(new).startswith("burst")


def test_a_burst_of_sales_explains_a_burst_of_reviews_by_new_customers():
    sold = [purchase(END - 5 * DAY - minute * 60_000) for minute in range(400)]
    reviews = [review(END - HOUR * hour, new=True) for hour in range(1, 11)]
    assert told(steady() + reviews)["score"] > 70
    assert told(steady() + sold + reviews)["score"] < 10


def test_a_burst_is_told_against_half_a_year_though_it_is_most_of_its_own_month():
    known = [review(BEGIN + number * 15 * DAY) for number in range(4)]
    paid = [review(END - number * 30 * HOUR, text="") for number in range(10)]
    of_a_new_item = told(paid + known[-1:])
    assert of_a_new_item["burst_14d"]["decades"] == 0.0
    of_an_old_one = told(paid + known)
    assert of_an_old_one["burst_14d"]["of"] == 14
    assert of_an_old_one["burst_14d"]["decades"] > 0.5
    longer = told([purchase(END - 170 * DAY), *paid, *known])
    assert longer["burst_14d"]["decades"] > of_an_old_one["burst_14d"]["decades"]
    assert longer["score"] > 70


def test_a_week_of_sales_explains_that_its_customers_review_on_one_day():
    sold = [purchase(END - 9 * DAY + number * 2 * HOUR) for number in range(80)]
    asked = [review(END - minute * 60_000, new=bool(minute % 2)) for minute in range(14)]
    assert told(steady() + asked)["score"] > 70
    assert told(steady() + sold + asked)["score"] < 20


def test_low_ratings_and_good_ones_without_backing_are_told_in_a_burst_alone():
    attack = told(steady() + [review(END - HOUR * number, 1, polarity=-0.8) for number in range(8)])
    assert foremost(attack) == "low_7d"
    assert attack["low_7d"]["decades"] > attack["burst_24h"]["decades"]
    praised = told(steady() + [review(END - HOUR * number) for number in range(8)])
    assert praised["low_7d"]["decades"] == praised["unbacked_14d"]["decades"] == 0.0
    # A bad lot: the reviews come as ever, and all of them complain.
    lot = [fact for fact in steady() if fact.kind == Kind.PURCHASE or fact.timestamp < END - 14 * DAY]
    lot += [review(when, 1, polarity=-0.8) for when in range(END - 14 * DAY, END, 2 * DAY)]
    assert told(lot)["score"] == 0.0


def test_reviews_of_a_new_item_are_no_burst():
    facts = [purchase(END - HOUR)] + [review(END - minute * 60_000) for minute in range(30)]
    assert told(facts)["burst_24h"]["decades"] == 0.0


def test_one_text_in_light_rewrites_is_evidence_and_the_same_short_word_is_none():
    text = "The jacket is warm and light, the zip runs well, and after a month of rain it looks like new"
    copies = [review(END - DAY * day, text=f"{text}{'!' * day}") for day in range(1, 9)]
    block = told(steady() + copies)
    assert block["alike"]["found"] == 8
    assert block["score"] > 70
    assert foremost(block) == "alike"
    short = told(steady() + [review(END - DAY * day, text="very good") for day in range(1, 9)])
    assert short["alike"]["found"] <= 1


def test_good_ratings_with_bad_words_or_none_are_evidence():
    contrary = told(steady() + [review(END - DAY * day - HOUR, polarity=-0.9) for day in range(10)])
    assert contrary["contrary"]["found"] == 10
    assert foremost(contrary) == "unbacked_14d"
    wordless = told(steady() + [review(END - DAY * (number % 12) - HOUR * number, text="") for number in range(24)])
    assert wordless["wordless"]["found"] == 24
    assert foremost(wordless) == "unbacked_14d"


def test_what_an_item_always_had_is_ordinary():
    always = [review(when, text="") for when in range(BEGIN, END, DAY // 2)]
    assert told([purchase(BEGIN), *always])["score"] < 50


def test_ratings_of_the_week_stand_beside_those_before():
    block = told(steady() + [review(END - HOUR * hour, 1, None, -0.8) for hour in range(1, 30)])
    assert block["mean_rating_7d"] < 2 < block["mean_rating_before"]


def test_evidence_passes_with_time():
    facts = steady() + [review(END - HOUR * hour, new=True) for hour in range(1, 11)]
    scores = [told(facts, END + day * DAY)["score"] for day in (0, 8, 29)]
    assert scores[0] > 70
    assert scores[1] == scores[2] == 0.0


FACTS = st.lists(
    st.tuples(
        st.integers(0, 40 * DAY),
        st.sampled_from([1.0, 2.0, 3.0, 4.5, 5.0]),
        st.sampled_from(
            ["", "good", "a fine thing, well made and quickly sent to my house", "nothing works here at all"]
        ),
        st.none() | st.floats(-1, 1),
        st.booleans(),
        st.booleans(),
    ),
    max_size=60,
)


@settings(max_examples=60)
@given(FACTS, st.randoms(use_true_random=False), st.integers(0, 40 * DAY))
def test_the_block_is_the_same_in_any_order_and_after_storing(raw, rng, later):
    def facts() -> list[Fact]:
        return [
            purchase(BEGIN + age) if bought else review(BEGIN + age, rating, text, polarity, new)
            for age, rating, text, polarity, new, bought in raw
        ]

    in_order, shuffled = facts(), facts()
    rng.shuffle(shuffled)
    states = folded(in_order), folded(shuffled)
    if states[0].newest is None:
        return
    instant = states[0].newest + later
    blocks = [risk_block(state, instant) for state in (*states, codec.decode(codec.encode(states[0])))]
    assert blocks[0] == blocks[1] == blocks[2]
    if blocks[0] is not None:
        assert 0.0 <= blocks[0]["score"] <= 100.0
        for kind in EVIDENCE:
            evidence = blocks[0][kind]
            assert 0 <= evidence["found"] <= evidence["of"]
            assert 0.0 <= evidence["tail"] <= 1.0


def test_more_evidence_is_a_greater_score():
    at = [told(steady() + [review(END - HOUR * hour) for hour in range(1, 1 + n)])["score"] for n in (4, 6, 8, 12)]
    assert at == sorted(at)
    assert at[0] < 90 < at[-1]
