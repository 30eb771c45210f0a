"""Whether a scorer fits what it scores: by the currency, by the range of money, and by the drift of what is served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from features.users.row import Value
from models.artefact.origin import Origin, beyond
from streams.inference.money import money_of

MOST_BEYOND: Final = 0.5
"""The share of shoppers whose money lies outside of the middle nine tenths of the training shoppers', from which on it
is another shop's. Of the same shop it is a tenth. On the orders of CDNOW it is a quarter at twice the prices, and six
tenths at four times or a quarter of them."""

DRIFTING: Final = "lifetime_spend"
"""The feature whose drift is judged. Others differ with when a shopper is looked at: recency, short windows, and so the
prediction too, have an index above 3 for the very shop of the training, right after each event."""

_CALM: Final = 0.8
"""A scorer that was found foreign fits again below this part of a bound, so that it does not flicker at the bound."""


class Fit(StrEnum):
    """Whether a scorer fits; the field `model.fit` of a score record."""

    FITTED = "fitted"
    """Nothing speaks against it."""
    FOREIGN = "foreign"
    """Another currency, another range of money, or drift beyond the bound."""
    UNKNOWN = "unknown"
    """The artefact does not say what it was fitted on."""


class Verdict(NamedTuple):
    """A judgement, and the reason for it in words; empty for `fitted`."""

    fit: Fit
    why: str = ""


FITS: Final = Verdict(Fit.FITTED)


def by_currency(origin: Origin | None, currency: str) -> Verdict:
    """Judge before anything is served, by the deployment's currency alone."""
    if origin is None:
        return Verdict(Fit.UNKNOWN, "it does not say what it was fitted on")
    if origin.currency != currency:
        return Verdict(Fit.FOREIGN, f"it was fitted on {shop_of(origin)} in {origin.currency}, this is {currency}")
    return FITS


def by_served(
    origin: Origin, rows: Sequence[Sequence[Value]], drift: Mapping[str, float], most_drift: float, known: Verdict
) -> Verdict | None:
    """Judge by what is served.

    Args:
        origin: of the scorer, in the deployment's currency.
        rows: of shoppers, each once, in the order of `features.users.catalogue.SCALARS`.
        drift: the population stability index by feature; empty while too few shoppers were served.
        most_drift: the bound on it.
        known: the judgement before.

    Returns:
        None where too little is known to tell.
    """
    part = _CALM if known.fit is Fit.FOREIGN else 1.0
    index = drift.get(DRIFTING)
    if index is not None and index > most_drift * part:
        return Verdict(
            Fit.FOREIGN,
            f"{DRIFTING} has moved from the training rows by a PSI of {index:.2f}, as with other prices, or with "
            "shoppers whose past was not read",
        )
    money = money_of(rows)
    # The worth of orders is what a score follows; prices looked at speak where too few have bought.
    for what, amounts, levels in (
        ("orders", money.orders, origin.order_values),
        ("viewed prices", money.viewed, origin.viewed_prices),
    ):
        share = beyond(amounts, levels)
        if share is not None:
            if share <= MOST_BEYOND * part:
                return FITS
            return Verdict(
                Fit.FOREIGN,
                f"the {what} of {share:.0%} of shoppers lie outside of {levels[0]:,.2f} to {levels[-1]:,.2f} "
                f"{origin.currency}, where nine tenths did when it was fitted on {shop_of(origin)}",
            )
    return None if index is None else FITS


def shop_of(origin: Origin) -> str:
    """Return the shop in words, fit for a terminal."""
    return origin.shop if origin.shop.isprintable() and origin.shop else "a shop without a name"
