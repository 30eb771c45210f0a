"""Names and sentences of the page. A sentence claims no more than its interval allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from streams.offline.evaluation.comparison import verdict

MODEL_NAMES: Final = {
    "scorer": "the scorer",
    "zero": "predict zero",
    "past_spend": "past spend",
    "past_orders": "past order count",
    "bg_nbd": "BG/NBD",
    "bg_nbd_gamma_gamma": "BG/NBD x Gamma-Gamma",
    "boosting_rfm": "boosting on RFM",
}
MEASURE_NAMES: Final = {
    "concordance": "concordance",
    "normalized_gini": "normalised Gini",
    "top_decile_share": "top-decile share",
    "spearman": "Spearman",
    "calibration_error": "calibration error",
    "mae": "MAE",
    "rmse": "RMSE",
    "auc": "AUC",
    "average_precision": "average precision",
    "f1": "F1",
}
MEASURE_MEANINGS: Final = {
    "concordance": "share of pairs with different spend that are ordered rightly; 0.5 is no order",
    "normalized_gini": "Gini of spend in the order predicted over that of the perfect order; 0 is no order",
    "top_decile_share": "share of all spend held by the tenth predicted highest; 0.1 is no order",
    "spearman": "rank correlation; most rows are tied at no spend, so it stays low for everything",
    "calibration_error": "mean gap between expected and actual spend by decile over mean spend; less is better",
    "mae": "mean absolute error of expected spend; less is better, and zero is hard to beat where most buy nothing",
    "rmse": "root mean squared error of expected spend; less is better",
    "auc": "chance that somebody who will buy is predicted more than somebody who will not",
    "average_precision": "area under precision and recall for who will buy; the base rate is no order",
    "f1": "harmonic mean of precision and recall, at the threshold that is best on the rows not judged",
}


def standing(ahead: Mapping[str, Mapping[str, Any]], measure: str) -> str:
    """Say of which baselines the scorer is ahead, behind and not told apart, by one measure."""
    by_verdict: dict[str, list[str]] = {"ahead": [], "behind": [], "not told apart": []}
    for name, row in ahead.items():
        by_verdict[verdict(row[measure])].append(MODEL_NAMES[name])
    parts = [
        f"{words} {listed(by_verdict[key])}"
        for key, words in (("ahead", "ahead of"), ("behind", "behind"), ("not told apart", "not told apart from"))
        if by_verdict[key]
    ]
    return f"By {MEASURE_NAMES[measure]} the scorer is {'; '.join(parts)}."


def calibrated(deciles: Sequence[Mapping[str, float]]) -> str:
    """Say where what was expected lies outside what was spent."""
    outside = [place for place, row in enumerate(deciles, 1) if not row["low"] <= row["expected"] <= row["high"]]
    if not outside:
        return "In every decile the expected spend lies within the interval of the actual one: no fault shows."
    over = sum(deciles[place - 1]["expected"] > deciles[place - 1]["high"] for place in outside)
    places = listed([str(place) for place in outside])
    return (
        f"In {len(outside)} of {len(deciles)} deciles (from the lowest: {places}) the expected "
        f"spend lies outside the interval of the actual one, in {over} of them above it: order by the "
        "score there, and do not add the money up."
    )


def text_helps(ablation: Mapping[str, Any]) -> str:
    """Say what the refitted pair shows, and what it cannot."""
    found = ablation["refitted"]["ahead"]["concordance"]
    shown = {
        "ahead": "a scorer fitted with text orders better than one fitted without it",
        "behind": "a scorer fitted with text orders worse than one fitted without it",
        "not told apart": "scorers fitted with and without text are not told apart",
    }[verdict(found)]
    limit = (
        " The text is simulated without any knowledge of spend: no lift can be claimed from it, whatever this says."
        if ablation["simulated_text"]
        else ""
    )
    return (
        f"By concordance {shown} ({found['value']:+.4f}, 95 % from {found['low']:+.4f} to {found['high']:+.4f}).{limit}"
    )


def warned(column: str, found: Mapping[str, Any]) -> list[str]:
    """Say every warning of a column in words."""
    told = []
    for warning in found["warnings"]:
        name, value = warning["group"], warning["value"]
        if warning["kind"] == "small_group":
            told.append(
                f"{column} = {name}: {value} users, fewer than {found['smallest_group']}: too few to compare with."
            )
        else:
            low, high = found["groups"][name]["selection_rate_interval"]
            told.append(
                f"{column} = {name}: selected at {value:.2f} of the rate of the group selected most, below "
                f"{found['threshold']:.2f} (its rate is {low:.1%} to {high:.1%}, 95 %): find out why before the score "
                "is acted on."
            )
    return told


def grouped(found: Mapping[str, Any]) -> str:
    """Say how far apart the groups compared are."""
    compared = [row for row in found["groups"].values() if row["compared"]]
    if len(compared) < 2:
        return "There are no two groups large enough to compare."
    rates = [row["selection_rate"] for row in compared]
    ratios = [row["calibration_ratio"] for row in compared if row["calibration_ratio"] is not None]
    money = f", and expected over actual spend from {min(ratios):.2f} to {max(ratios):.2f}" if ratios else ""
    look = any(warning["kind"] == "selection_rate" for warning in found["warnings"])
    return (
        f"Among the {len(compared)} groups compared the share selected runs from {min(rates):.1%} to {max(rates):.1%}"
        f"{money}: {'see the warnings above' if look else 'nothing here asks to be looked into'}. The more groups, the "
        "more of them differ by chance alone."
    )


def stable(found: Mapping[str, Any]) -> str:
    """Say which kind of change moves scores most."""
    worst = max(found["kinds"], key=lambda kind: found["kinds"][kind]["mean_absolute"])
    row = found["kinds"][worst]
    return (
        f"What moves scores most is {worst.replace('_', ' ')}: {row['mean_absolute']:.2f} points on average, "
        f"{row['largest']:.2f} at most, and {row['tier_changed']:.1%} of the users change tier. Leaving out all they "
        f"wrote moves them by {found['score_difference_if_dropped']:.2f} points: a change of spelling "
        "should stay far below that."
    )


def listed(names: Sequence[str]) -> str:
    """Write a list of names, at least one."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
