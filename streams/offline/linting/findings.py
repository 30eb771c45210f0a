"""Which features lose their meaning on a file's events, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from features.tiles import DAY
from streams.contract import HORIZON
from streams.offline.linting import portrait as of
from streams.offline.linting.portrait import REVIEW, SEARCH, Portrait
from streams.records.events import Action
from streams.sources.places import Places

FEW: Final = 0.05
"""A share that is no accident any more."""
MOST: Final = 0.95

ENOUGH: Final = 20
"""Fewer events may well have happened on the hour by accident."""

_VIEW: Final = Action.VIEW.value
_PURCHASE: Final = Action.PURCHASE.value
_CART: Final = Action.CART.value

_REFUND: Final = Action.REFUND.value
_REMOVE: Final = Action.REMOVE.value

_ORDERS: Final = ("orders_W", "average_order_value_30d", "lifetime_orders")
_SPEND: Final = ("spend_W", "net_spend_30d", "mean_paid_30d", "units_W", *_ORDERS, "lifetime_spend")
_REFUNDED: Final = ("refunded_W", "net_spend_30d", "lifetime_refunded")
_PURCHASES: Final = ("purchases_W", "conversion_30d", "lifetime_purchases", "days_since_last_purchase")
_OF_KIND: Final = {
    _VIEW: ("views_W", "conversion_30d", "mean_viewed_price_7d"),
    Action.FAVORITE.value: ("favorites_W",),
    _CART: ("carts_W",),
    _REMOVE: ("removes_W",),
    _REFUND: ("refunds_W", *_REFUNDED),
    _PURCHASE: (*_PURCHASES, *_SPEND),
    SEARCH: ("searches_W",),
    REVIEW: ("reviews_W", "mean_rating_30d", "noisy_reviews_30d"),
}


class Finding(NamedTuple):
    """Something that a user of the events should know.

    Attributes:
        features: those that it touches, as the contract writes them, and labels; empty if it touches all.
        why: in one line.
    """

    features: tuple[str, ...]
    why: str


def find(portrait: Portrait, places: Places, currency: str) -> list[Finding]:
    """Return what makes features of these events mean less.

    Args:
        portrait: of the events.
        places: of their lines.
        currency: the deployment's own.
    """
    if not portrait.count(of.EVENTS):
        return []
    return [
        *_ids(portrait, places),
        *_money(portrait, currency),
        *_missing(portrait),
        *_texts(portrait),
        *_titles(portrait),
        *_users(portrait),
        *_times(portrait),
    ]


def _ids(portrait: Portrait, places: Places) -> Iterator[Finding]:
    for kind, features in _OF_KIND.items():
        shared = portrait.count(of.SAME_ID, kind)
        if shared:
            first = places.place(portrait.first[kind])
            yield Finding(
                features,
                f"{_events_have(shared, kind)} the event_id of an earlier event of the user, with other content, and "
                f"would be dropped as a duplicate, first at {first}: an event_id names one line of an order",
            )
    again = portrait.count(of.ORDER_AGAIN, _PURCHASE)
    if again:
        yield Finding(
            (*_PURCHASES, *_SPEND),
            f"{again:,} lines of orders come again at another time under their order_id, as when a confirmation page "
            "is loaded twice: their money and pieces count twice",
        )
    repeated = portrait.count(of.REPEATED)
    if repeated:
        yield Finding((), f"{repeated:,} events repeat an earlier one to the letter: a duplicate changes nothing")


def _money(portrait: Portrait, currency: str) -> Iterator[Finding]:
    purchases, priced = portrait.count(of.EVENTS, _PURCHASE), portrait.count(of.PRICE, _PURCHASE)
    if not purchases:
        yield Finding((*_PURCHASES, *_SPEND, "price_band"), "no purchase: there is nothing to learn spend from")
    elif not priced:
        yield Finding((*_SPEND, "price_band"), "no purchase has a price: there is nothing to learn spend from")
    elif priced < purchases * (1 - FEW):
        yield Finding(_SPEND, f"{_share(purchases - priced, purchases)} of the purchases have no price")
    if purchases and not portrait.count(of.ORDER, _PURCHASE):
        yield Finding(_ORDERS, "no purchase has an order_id: each is taken as an order of its own")
    refunds, known = portrait.count(of.EVENTS, _REFUND), portrait.count(of.PRICE, _REFUND)
    if known < refunds * (1 - FEW):
        yield Finding(_REFUNDED, f"{_share(refunds - known, refunds)} of the refunds have no price")
    views, shown = portrait.count(of.EVENTS, _VIEW), portrait.count(of.PRICE, _VIEW)
    if not views:
        yield Finding(_OF_KIND[_VIEW], "no view")
    elif shown < views * (1 - FEW):
        yield Finding(("mean_viewed_price_7d",), f"{_share(views - shown, views)} of the views have no price")
    prices, named = portrait.count(of.PRICE), portrait.count(of.CURRENCY)
    if prices > named:
        yield Finding(
            _SPEND,
            f"{_share(prices - named, prices)} of the prices name no currency: they are taken as {currency} "
            "(WHEREWITHAL_CURRENCY)",
        )


def _missing(portrait: Portrait) -> Iterator[Finding]:
    if not portrait.count(of.EVENTS, _CART):
        yield Finding((*_OF_KIND[_CART], "intent"), "nothing is put into a cart")
    events, categories = portrait.count(of.EVENTS), portrait.count(of.CATEGORY)
    if not categories:
        yield Finding(("tags", "interests"), "no event has a category")
    elif categories < events * FEW:
        yield Finding(("tags", "interests"), f"only {_share(categories, events)} of the events have a category")


def _texts(portrait: Portrait) -> Iterator[Finding]:
    for kind, plural in ((SEARCH, "searches"), (REVIEW, "reviews")):
        events, texts = portrait.count(of.EVENTS, kind), portrait.count(of.TEXT, kind)
        if not events:
            yield Finding(_OF_KIND[kind], f"no {kind}")
        elif texts < events * (1 - FEW):
            yield Finding(("profile_vector",), f"{_share(events - texts, events)} of the {plural} have no text")
    if not portrait.count(of.TEXT):
        yield Finding(("profile_vector",), "no text at all: the profile of every user is zeros")


def _titles(portrait: Portrait) -> Iterator[Finding]:
    weighted = (_VIEW, Action.FAVORITE.value, _CART, _PURCHASE)
    clicks, titles = portrait.count(of.EVENTS, *weighted), portrait.count(of.TITLE, *weighted)
    if clicks and not titles:
        yield Finding(("taste_vector",), "no click has a title: the taste of every user is zeros")
    elif titles < clicks * (1 - FEW):
        yield Finding(("taste_vector",), f"{_share(clicks - titles, clicks)} of the clicks have no title")


def _users(portrait: Portrait) -> Iterator[Finding]:
    events, nobody = portrait.count(of.EVENTS), portrait.count(of.OF_NOBODY)
    if len(portrait.users) == 1 and events > 1:
        yield Finding((), "all events are of one user: is it the right field?")
    if nobody:
        yield Finding(
            (),
            f"{nobody:,} events belong to an id such as `null` or `guest`: they make one user of many, leave them out",
        )


def _times(portrait: Portrait) -> Iterator[Finding]:
    oldest, newest = portrait.oldest or 0, portrait.newest or 0
    events = portrait.count(of.EVENTS)
    on_the_hour, at_midnight = portrait.count(of.ON_THE_HOUR), portrait.count(of.AT_MIDNIGHT)
    if events >= ENOUGH and at_midnight >= events * MOST:
        yield Finding(
            ("every window of 1h and 24h", "intent"),
            f"{_share(at_midnight, events)} of the times are midnight UTC: they were rounded to days",
        )
    elif events >= ENOUGH and on_the_hour >= events * MOST:
        yield Finding(
            ("every window of 1h", "intent"),
            f"{_share(on_the_hour, events)} of the times are on the hour: they were rounded to hours, or to days of "
            "another time zone",
        )
    if oldest // DAY == newest // DAY:
        yield Finding(
            ("every window of 24h, 7d and 30d", "tenure_days", "lifecycle"),
            "all events are of one day: long windows are alike",
        )
    elif newest - oldest <= HORIZON:
        yield Finding(
            (),
            f"the events span {(newest - oldest) / DAY:.1f} days: training needs 30 days after each instant, so more",
        )


def _events_have(number: int, kind: str) -> str:
    return f"{number:,} event{'' if number == 1 else 's'} ({kind}) {'has' if number == 1 else 'have'}"


def _share(part: int, whole: int) -> str:
    if part == whole:
        return "all"
    return f"{min(max(part * 100 / whole, 0.1), 99.9):.1f} %"
