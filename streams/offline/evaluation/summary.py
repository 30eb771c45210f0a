"""The sentences of the summary for a business: what acting on the scores comes to, and what it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.measures.baselines import ZERO
from streams.offline.evaluation.comparison import verdict
from streams.offline.evaluation.forecasts import SCORER
from streams.offline.evaluation.words import MODEL_NAMES, listed


def found(business: Mapping[str, Any], top: Mapping[str, float]) -> str:
    """Say how much of the money the tenth scored highest holds.

    Args:
        business: of the report.
        top: the scorer's top-decile share, with its interval.
    """
    tenth, share = business["per"] // 10, top["value"]
    return (
        f"Of {business['per']:,} shoppers scored on a day, the {tenth:,} scored highest spend "
        f"{_money(business, SCORER)} of {money(business['money'], business)} in the next 30 days: {share:.0%} of the "
        f"money (95% interval {top['low']:.0%} to {top['high']:.0%}), {share * 10:.1f} times what {tenth:,} "
        "taken at random spend."
    )


def beside(business: Mapping[str, Any], ahead: Mapping[str, Mapping[str, Any]]) -> str:
    """Say which simpler rules find more, less, or about the same."""
    words = {"ahead": "less", "behind": "more", "not told apart": "as much, give or take chance,"}
    by_verdict: dict[str, list[str]] = {}
    for name, row in ahead.items():
        if name != ZERO:
            by_verdict.setdefault(verdict(row["top_decile_share"]), []).append(
                f"{MODEL_NAMES[name]} ({_money(business, name)})"
            )
    parts = [f"{words[key]} by {listed(by_verdict[key])}" for key in words if key in by_verdict]
    return f"The same number chosen otherwise hold {'; '.join(parts)}."


def missed(business: Mapping[str, Any]) -> str:
    """Say who is missed by acting on the tenth scored highest alone."""
    out, within, per = business["missed"], business["found"], business["per"]
    told = (
        f"The other {per - per // 10:,} hold {money(out['money'], business)}: {out['buyers']:.0f} of the "
        f"{out['buyers'] + within['buyers']:.0f} who buy at all are among them."
    )
    if out["few_orders"] is not None and within["few_orders"] is not None:
        told += (
            f" Of these, {out['few_orders']:.0%} had one order before or none; of the buyers found it is "
            f"{within['few_orders']:.0%}."
        )
    if out["idle_days"] is not None and within["idle_days"] is not None:
        told += (
            f" Half of them had last ordered more than {out['idle_days']:.0f} days ago, of those found more than "
            f"{within['idle_days']:.0f}."
        )
    return told


def money(amount: float, business: Mapping[str, Any]) -> str:
    """Write an amount, without cents where they say nothing."""
    return f"{business['currency']} {amount:,.0f}" if abs(amount) >= 100 else f"{business['currency']} {amount:,.2f}"


def _money(business: Mapping[str, Any], model: str) -> str:
    return money(business["models"][model]["money"], business)
