"""Whether a scorer fits: by currency, by the range of money, by drift."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.users.catalogue import NAMES
from features.users.row import Value
from models.artefact.origin import Origin
from streams.inference.fit import FITS, Fit, Verdict, by_currency, by_served

ORIGIN = Origin(
    shop="a shop of hats",
    currency="EUR",
    order_values=[10.0, 15.0, 20.0, 30.0, 60.0],
    viewed_prices=[5.0, 6.0, 7.0, 8.0, 9.0],
)
FOREIGN = Verdict(Fit.FOREIGN, "so far")
DRIFT = {"lifetime_spend": 2.0, "prediction": 0.0}


def row(**features: Value) -> tuple[Value, ...]:
    return tuple(features.get(name) for name in NAMES)


def buyers(*orders: float) -> list[tuple[Value, ...]]:
    """Shoppers of two orders each, worth so much on average."""
    return [row(lifetime_orders=2, lifetime_spend=2 * order, mean_viewed_price_7d=7.0) for order in orders]


def judged(rows: list[tuple[Value, ...]], drift: dict[str, float] | None = None, known: Verdict = FITS):
    return by_served(ORIGIN, rows, drift or {}, 1.0, known)


def test_before_anything_is_served_the_currency_decides() -> None:
    assert by_currency(ORIGIN, "EUR") == FITS
    assert by_currency(ORIGIN, "JPY") == Verdict(Fit.FOREIGN, "it was fitted on a shop of hats in EUR, this is JPY")
    assert by_currency(None, "EUR").fit is Fit.UNKNOWN


def test_orders_that_lie_mostly_outside_of_the_range_make_it_foreign_and_those_within_do_not() -> None:
    found = judged(buyers(*[20.0] * 9, *[150.0] * 11))
    assert found is not None
    assert found.fit is Fit.FOREIGN
    assert found.why == (
        "the orders of 55% of shoppers lie outside of 10.00 to 60.00 EUR, where nine tenths did when it was fitted on "
        "a shop of hats"
    )
    assert judged(buyers(*[20.0] * 10, *[150.0] * 10)) == FITS
    assert judged(buyers(*[1.0] * 4)) is not None


def test_prices_looked_at_are_judged_where_nobody_bought() -> None:
    lookers = [row(lifetime_orders=0, lifetime_spend=0.0, mean_viewed_price_7d=7000.0)] * 12
    found = judged(lookers)
    assert found is not None
    assert found.fit is Fit.FOREIGN
    assert "viewed prices of 100%" in found.why


def test_what_is_not_known_decides_nothing() -> None:
    assert judged([]) is None
    assert judged(buyers(500.0, 500.0, 500.0)) is None
    assert judged([row()] * 50) is None
    assert judged([row(lifetime_orders=3, lifetime_spend=0.0)] * 50) is None, "purchases without a price"
    assert by_served(Origin(shop="", currency="EUR"), buyers(*[9e8] * 50), {}, 1.0, FITS) is None


def test_drift_beyond_the_bound_makes_it_foreign_whatever_the_orders() -> None:
    found = judged(buyers(*[20.0] * 50), DRIFT)
    assert found is not None
    assert found.fit is Fit.FOREIGN
    assert found.why.startswith(
        "lifetime_spend has moved from the training rows by a PSI of 2.00, as with other prices"
    )
    assert by_served(ORIGIN, buyers(*[20.0] * 50), DRIFT, 2.5, FITS) == FITS
    assert judged(buyers(*[20.0] * 50), {"prediction": 9.0}) == FITS, "that differs with when one looks"


def test_a_scorer_found_foreign_does_not_flicker_at_the_bound() -> None:
    at_the_bound = buyers(*[20.0] * 11, *[150.0] * 9)
    assert judged(at_the_bound) == FITS
    assert judged(at_the_bound, known=FOREIGN) != FITS
    assert judged(buyers(*[20.0] * 13, *[150.0] * 7), known=FOREIGN) == FITS
    assert judged(buyers(*[20.0] * 20), {"lifetime_spend": 0.9}, FOREIGN) != FITS
    assert judged(buyers(*[20.0] * 20), {"lifetime_spend": 0.7}, FOREIGN) == FITS


@given(st.lists(st.floats(0, 1e9), max_size=40))
@settings(deadline=None)
def test_any_money_has_a_verdict_that_does_not_hang_on_the_order_of_shoppers(orders: list[float]) -> None:
    assert judged(buyers(*orders)) == judged(buyers(*reversed(orders)))


@pytest.mark.parametrize("shop", ["", "\x1b[31mred", "two\nlines"])
def test_a_name_that_a_terminal_would_obey_is_not_printed(shop: str) -> None:
    assert "a shop without a name" in by_currency(Origin(shop=shop, currency="EUR"), "USD").why
