"""The plots of the report, as SVG that follows the page's colour of text, light or dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from models.libraries import library
from models.measures.baselines import ZERO
from models.measures.fairness import FOUR_FIFTHS
from streams.offline.evaluation.svg import ACCENT, COLOURS, INK, drawn
from streams.offline.evaluation.words import MEASURE_NAMES, MODEL_NAMES

FOREST: Final = ("concordance", "normalized_gini", "top_decile_share", "average_precision")


def forest(ahead: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Draw the scorer's lead over each baseline except zero, with intervals, in a panel for each of four measures."""
    # Every model that orders shoppers at all is so far ahead of zero that no other lead would be visible.
    names = [name for name in reversed(list(ahead)) if name != ZERO]

    def draw(figure: Any) -> None:
        for axes, measure in zip(figure.subplots(1, len(FOREST), sharey=True), FOREST, strict=True):
            for place, name in enumerate(names):
                found = ahead[name][measure]
                axes.plot([found["low"], found["high"]], [place, place], color=ACCENT, linewidth=2)
                axes.plot(found["value"], place, "o", color=ACCENT, markersize=5)
            axes.axvline(0, color=INK, linewidth=0.8)
            axes.set_yticks(range(len(names)), [MODEL_NAMES[name] for name in names])
            axes.set_title(MEASURE_NAMES[measure], fontsize=9)
        figure.supxlabel("scorer minus baseline; right of the line the scorer is ahead", fontsize=9)

    return drawn("forest", draw, 9.5, 3.0)


def gains(found: Mapping[str, Sequence[float]]) -> str:
    """Draw the share of all money that the first shoppers hold, by the share of shoppers, for each order of them."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        percent = range(len(found["perfect"]))
        shown = [name for name in found if name not in (ZERO, "perfect")]
        for colour, name in zip(COLOURS, shown, strict=False):
            style = {"color": colour, "linewidth": 2.4 if name == "scorer" else 1.1, "label": MODEL_NAMES[name]}
            axes.plot(percent, [100 * share for share in found[name]], **style)
        axes.plot(percent, [100 * share for share in found["perfect"]], color=INK, linewidth=0.8, linestyle=":")
        axes.plot([0, 100], [0, 100], color=INK, linewidth=0.8, linestyle="--")
        axes.axvline(10, color=INK, linewidth=0.8)
        axes.set(xlabel="% of shoppers, the first ones of each order", ylabel="% of the money of the next 30 days")
        axes.set(xlim=(0, 100), ylim=(0, 101))
        axes.legend(fontsize=7.5, loc="lower right")

    return drawn("gains", draw, 6.6, 4.0)


def importance(features: Sequence[Mapping[str, Any]]) -> str:
    """Draw by how much each feature moves predictions on average: right of zero what raises them, left what lowers."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        rows = list(reversed(features))
        axes.barh(range(len(rows)), [row["raises"] for row in rows], color=ACCENT, height=0.7)
        axes.barh(range(len(rows)), [-row["lowers"] for row in rows], color=COLOURS[1], height=0.7)
        axes.set_yticks(range(len(rows)), [row["feature"] for row in rows])
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("mean of what lowers predictions (left) and of what raises them (right), log1p of money")

    return drawn("importance", draw, 8.0, 0.9 + 0.23 * len(features))


def calibration(deciles: Sequence[Mapping[str, float]], currency: str) -> str:
    """Draw mean actual money against mean expected money of each decile."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        expected = [row["expected"] for row in deciles]
        actual = [row["actual"] for row in deciles]
        # The percentile interval of a resampled decile may exclude its own mean.
        below = [max(row["actual"] - row["low"], 0.0) for row in deciles]
        above = [max(row["high"] - row["actual"], 0.0) for row in deciles]
        ends = [*expected, *(row["low"] for row in deciles), *(row["high"] for row in deciles)]
        if min(ends) > 0:
            # Money spans magnitudes from one decile to another.
            axes.set(xscale="log", yscale="log")
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_locator(library("matplotlib.ticker").LogLocator(subs=(1, 2, 5)))
                axis.set_major_formatter(lambda amount, _: f"{amount:,g}")
        axes.plot(
            [min(ends), max(ends)],
            [min(ends), max(ends)],
            color=INK,
            linewidth=0.8,
            linestyle="--",
            label="expected = actual",
        )
        axes.errorbar(expected, actual, yerr=[below, above], fmt="o", color=ACCENT, label="decile of the scorer")
        axes.set_xlabel(f"mean expected spend, {currency} in 30 days")
        axes.set_ylabel(f"mean actual spend, {currency} in 30 days")
        axes.legend()

    return drawn("calibration", draw, 5.2, 4.0)


def curves(found: Mapping[str, Any], base_rate: float) -> str:
    """Draw ROC and precision-recall of "will buy", for all models that order shoppers at all."""

    def draw(figure: Any) -> None:
        roc, recall = figure.subplots(1, 2)
        shown = [name for name in found if name != ZERO]
        for colour, name in zip(COLOURS, shown, strict=False):
            style = {"color": colour, "linewidth": 2.4 if name == "scorer" else 1.1, "label": MODEL_NAMES[name]}
            of = found[name]
            roc.plot(of["roc"]["false_positive_rate"], of["roc"]["true_positive_rate"], **style)
            recall.plot(of["precision_recall"]["recall"], of["precision_recall"]["precision"], **style)
        roc.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle="--")
        recall.axhline(base_rate, color=INK, linewidth=0.8, linestyle="--")
        roc.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC")
        recall.set(xlabel="recall", ylabel="precision", title="precision and recall", ylim=(0, 1.02))
        roc.legend(fontsize=7.5, loc="lower right")

    return drawn("curves", draw, 9.5, 4.0)


def groups(number: int, found: Mapping[str, Any]) -> str:
    """Draw the scores of each group (percentiles 10, 25, 50, 75, 90) and its selection rate with the interval.

    Args:
        number: the number of the plot on its page.
        found: the results for one column.
    """

    def draw(figure: Any) -> None:
        scores, rates = figure.subplots(1, 2, sharey=True)
        rows = found["groups"]
        boxes = [_box(rows[name]["score_quantiles"]) for name in rows]
        _draw_boxes(scores, boxes, list(rows))
        highest = max((row["selection_rate"] for row in rows.values() if row["compared"]), default=0.0)
        for place, row in enumerate(rows.values(), start=1):
            if row["selection_rate_interval"] is not None:
                rates.plot(row["selection_rate_interval"], [place, place], color=ACCENT, linewidth=2)
            rates.plot(row["selection_rate"], place, "o" if row["compared"] else "x", color=ACCENT, markersize=5)
        rates.axvline(FOUR_FIFTHS * highest, color=COLOURS[4], linestyle="--", linewidth=1)
        scores.invert_yaxis()
        scores.set(xlabel="score", xlim=(0, 100))
        rates.set(xlabel="share selected; dashed: four fifths of the highest", xlim=(0, None))

    return drawn(f"groups-{number}", draw, 9.5, 1.1 + 0.3 * len(found["groups"]))


def stability(kinds: Mapping[str, Any]) -> str:
    """Draw the differences of scores of each kind of change: percentiles 5, 25, 50, 75, 95."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        _draw_boxes(axes, [_box(found["difference"]) for found in kinds.values()], [k.replace("_", " ") for k in kinds])
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_xlabel("new score minus old, in points of 100")

    return drawn("stability", draw, 7.0, 2.6)


def _box(quantiles: Sequence[float]) -> dict[str, Any]:
    low, first, median, third, high = quantiles
    return {"whislo": low, "q1": first, "med": median, "q3": third, "whishi": high, "fliers": []}


def _draw_boxes(axes: Any, boxes: Sequence[dict[str, Any]], names: Sequence[str]) -> None:
    line = {"color": ACCENT, "linewidth": 1.4}
    parts = {"boxprops": line, "whiskerprops": line, "capprops": line}
    axes.bxp(boxes, orientation="horizontal", showfliers=False, medianprops=line | {"linewidth": 2.6}, **parts)
    axes.set_yticks(range(1, len(names) + 1), names)
