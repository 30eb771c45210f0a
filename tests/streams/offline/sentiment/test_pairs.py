"""Texts with a known polarity: each once, cleaned as a worker cleans them, and held out by groups."""

import random

from hypothesis import given
from hypothesis import strategies as st

from streams.offline.sentiment.pairs import HELD_OUT, Pair, gather, letters, share_of
from streams.offline.sentiment.splitting import nearly_in, split

TREES = ["oak", "elm", "ash", "fir", "yew", "bay", "box", "fig", "pear", "plum", "lime", "rose"]


def pair(text: str, positive: bool = True, group: str = "g", corpus: str = "c") -> Pair:
    return Pair(text, positive, group, corpus)


def test_texts_are_cleaned_and_those_that_say_nothing_are_left_out() -> None:
    gathered = gather([pair("<b>A fine hat</b>"), pair(" "), pair("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), pair("!!! ...")])
    assert [found.text for found in gathered.pairs] == ["A fine hat"]
    assert gathered.noisy == 3


def test_a_text_stands_once_whatever_its_case_and_punctuation() -> None:
    gathered = gather([pair("A fine hat"), pair("a FINE hat!!"), pair("A fine  hat", group="other")])
    assert len(gathered.pairs) == 1
    assert gathered.repeated == 2


def test_a_text_that_is_praise_and_complaint_is_neither() -> None:
    gathered = gather([pair("Good enough"), pair("good enough.", positive=False), pair("Bad", positive=False)])
    assert [found.text for found in gathered.pairs] == ["Bad"]
    assert gathered.disputed == 1


@given(st.lists(st.tuples(st.text(max_size=12), st.booleans(), st.sampled_from("abc")), max_size=20))
def test_whatever_is_written_every_text_is_accounted_for_and_distinct(found: list[tuple[str, bool, str]]) -> None:
    gathered = gather(pair(*each) for each in found)
    keys = [letters(each.text) for each in gathered.pairs]
    assert len(set(keys)) == len(keys)
    assert all(keys)
    assert len(keys) + gathered.noisy + gathered.repeated + gathered.disputed == len(found)


def test_groups_are_held_out_as_a_whole_in_the_share_that_is_said_and_by_their_name_alone() -> None:
    words = random.Random(0)
    texts = [" ".join(words.sample(TREES, 6)) for _ in range(900)]
    pairs = [pair(text, group=f"item {number % 300}") for number, text in enumerate(texts)]
    parts = split(pairs)
    assert not {each.group for each in parts.train} & {each.group for each in parts.unseen}
    assert 0.1 < len({each.group for each in parts.unseen}) / 300 < 0.3
    again = split(pairs[::-1])
    assert {each.group for each in again.unseen} == {each.group for each in parts.unseen}
    assert len(parts.train) + len(parts.unseen) + parts.alike == len(pairs)


def test_a_text_nearly_like_one_that_judges_is_not_learnt_from() -> None:
    held_out = next(f"item {number}" for number in range(1000) if share_of(f"item {number}") < HELD_OUT)
    trained = next(f"item {number}" for number in range(1000) if share_of(f"item {number}") >= HELD_OUT)
    judging = "This hat is warm, light and it fits me very well indeed, thank you"
    parts = split(
        [
            pair(judging, group=held_out),
            pair(judging.replace("thank you", "thanks").upper(), group=trained),
            pair("A wholly different remark on the colour of shoes", group=trained),
        ]
    )
    assert [each.text for each in parts.unseen] == [judging]
    assert [each.text for each in parts.train] == ["A wholly different remark on the colour of shoes"]
    assert parts.alike == 1


def test_near_likeness_has_a_measure() -> None:
    known = ["the quick brown fox jumps over the lazy dog"]
    asked = ["The quick brown fox jumps over the lazy cat!", "an unlike sentence", "fox", ""]
    assert nearly_in(asked, known).tolist() == [True, False, False, False]
    assert nearly_in(asked, []).tolist() == [False] * 4
    assert nearly_in([], known).tolist() == []
