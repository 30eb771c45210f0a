"""The report as one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.exceptions import ConfigurationError
from streams.offline.evaluation import plots, summary, words
from streams.offline.evaluation.template import PAGE


def page(document: Mapping[str, Any]) -> str:
    """Render the document of `streams.offline.evaluation.report.evaluate`.

    Raises:
        ConfigurationError: jinja2 is not installed.
        MissingLibraryError: matplotlib is not installed.
    """
    try:
        import jinja2
        from markupsafe import Markup
    except ImportError as error:
        raise ConfigurationError(
            "jinja2: expected it installed, found none; install it with `pip install wherewithal[train]`"
        ) from error
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters.update(number=_number, signed=_signed, count=_count, percent=_percent)
    data, groups = document["data"], document["fairness"]["columns"]
    business, ahead = document["business"], document["ahead"]
    base_rate = data["rows_with_spend"] / data["rows"]
    stability = document["stability"]
    drawn: dict[str, Any] = {
        "gains": Markup(plots.gains(business["gains"])),
        "importance": Markup(plots.importance(document["importance"]["features"])),
        "forest": Markup(plots.forest(ahead)),
        "calibration": Markup(plots.calibration(document["calibration"], business["currency"])),
        "curves": Markup(plots.curves(document["curves"], base_rate)),
        "groups": {
            column: Markup(plots.groups(number, found)) for number, (column, found) in enumerate(groups.items())
        },
        "stability": "" if "skipped" in stability else Markup(plots.stability(stability["kinds"])),
    }
    text: str = environment.from_string(PAGE).render(
        d=document,
        plots=drawn,
        measures=words.MEASURE_NAMES,
        meanings=words.MEASURE_MEANINGS,
        models=words.MODEL_NAMES,
        found=summary.found(business, document["metrics"]["scorer"]["top_decile_share"]),
        beside=summary.beside(business, ahead),
        missed=summary.missed(business),
        standings=[words.standing(ahead, measure) for measure in plots.FOREST],
        will_buy=f"{words.standing(ahead, 'auc')} {words.standing(ahead, 'f1')}",
        calibrated=words.calibrated(document["calibration"]),
        text_helps=words.text_helps(document["ablation"]),
        warnings={column: words.warned(column, found) for column, found in groups.items()},
        captions={column: words.grouped(found) for column, found in groups.items()},
        stable="" if "skipped" in stability else words.stable(stability),
        base_rate=base_rate,
    )
    return text


def _number(value: float | None) -> str:
    # Minus zero would be shown as such.
    return "-" if value is None else f"{round(value, 3) + 0.0:,.3f}" if abs(value) < 10 else f"{value:,.2f}"


def _signed(value: float) -> str:
    return f"{round(value, 3) + 0.0:+,.3f}"


def _count(value: int) -> str:
    return f"{value:,}"


def _percent(value: float) -> str:
    return f"{value:.1%}"
