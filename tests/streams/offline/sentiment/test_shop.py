"""A shop's own reviews: what of them a head learns from."""

from streams.offline.sentiment.shop import SHOP, written
from streams.records.events import Click, Review


def review(number: int, rating: float, *, user: str = "u", item: str = "i") -> Review:
    return Review(
        event_id=f"e{number}",
        user_id=user,
        item_id=item,
        text=f"Remark number {number} on it",
        rating=rating,
        timestamp=0,
    )


def test_four_and_more_praise_two_and_less_complain_and_what_lies_between_says_neither() -> None:
    ratings = (1, 2, 2.5, 3, 3.9, 4, 5)
    found = written([review(number, rating) for number, rating in enumerate(ratings)], set())
    assert [pair.positive for pair in found.gathered.pairs] == [False, False, True, True]
    assert (found.reviews, found.between) == (7, 3)


def test_an_item_is_a_group() -> None:
    found = written([review(1, 5, item="hat"), review(2, 1, item="shoe")], set())
    assert [(pair.group, pair.corpus) for pair in found.gathered.pairs] == [("hat", SHOP), ("shoe", SHOP)]


def test_nothing_is_learnt_of_erased_users_nor_of_other_events() -> None:
    click = Click(event_id="c", user_id="u", item_id="i", action="view", timestamp=0)
    erased: set[str] = set()

    def events():
        yield review(1, 5, user="gone")
        yield review(2, 5, user="here")
        yield click
        # As files tell it: an erasure may come after what it erases.
        erased.add("gone")

    found = written(events(), erased)
    assert [pair.text for pair in found.gathered.pairs] == ["Remark number 2 on it"]
    assert found.reviews == 1
