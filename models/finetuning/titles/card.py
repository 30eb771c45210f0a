"""The result of a run over titles: its figures, its card and the plot of its curve."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from models.finetuning.saving import CARD_FILE, PLOT_FILE, RESULT_FILE, draw

WAYS: Final = {
    "frozen_random": "frozen encoder, random projection",
    "frozen_fitted": "frozen encoder, fitted projection",
    "adapted_random": "adapted encoder, random projection",
    "adapted_fitted": "adapted encoder, fitted projection",
}


def ways_of(result: Mapping[str, Any]) -> dict[str, str]:
    """Return what a run compares, in words: without trained weights there is one encoder."""
    return {name: words for name, words in WAYS.items() if "steps" in result or name.startswith("frozen")}


def verdict(result: Mapping[str, Any]) -> str:
    """Return the line that says whether the run helps, and what of it the training of weights brings."""
    gain = _in_words(result["gain"], "It helps", "It does not help")
    if "steps" not in result:
        return f"{gain}."
    return f"{gain}. Of the trained weights alone: {_in_words(result['gain_of_weights'], 'a help', 'no help')}."


def save_titles_result(folder: Path, result: Mapping[str, Any]) -> None:
    """Write the result, its card, and the plot of its curve where there is one.

    Args:
        folder: of the encoder.
        result: as `models.finetuning.titles.adapting.adapt_to_titles` returns it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if "curve" in result:
        draw(
            folder / PLOT_FILE,
            {
                f"{name} shoppers": [(point["step"], point[f"{name}_ranked_above"]) for point in result["curve"]]
                for name in ("validation", "stopping")
            },
            result["ranked_above"]["frozen_random"],
            "frozen encoder, random projection, validation shoppers",
            "titles ranked above what is bought next",
        )
    (folder / CARD_FILE).write_text(_card(result), encoding="utf-8")
    (folder / RESULT_FILE).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _in_words(gain: Mapping[str, Any], helps: str, does_not: str) -> str:
    low, high = gain["interval"]
    said = helps if low > 0 else does_not
    return f"{said}: {gain['mean']:+.4f} of the titles, 95 % interval {low:+.4f} to {high:+.4f}"


def _card(result: Mapping[str, Any]) -> str:
    told = {name: result[name] for name in ("data", "pairs", "titles", "lines", "left_out", "shoppers", "options")}
    trained = (
        [
            f"{result['steps']:,} steps in {result['seconds']:,.0f} s ({result['ended']}); the weights of step "
            f"{result['best_step']:,} are kept.",
            "",
            f"![curve]({PLOT_FILE})",
            "",
        ]
        if "steps" in result
        else ["No weight was trained: the projection alone was fitted.", ""]
    )
    return "\n".join(
        [
            f"# {result['encoder']}, adapted to what is bought together",
            "",
            f"Made by `wherewithal finetune --texts titles` from `{result['encoder']}`, with a projection of its own.",
            *trained,
            f"{result['judges']:,} validation shoppers, who took no part in any decision, judge it: how much of all "
            "other titles is nearer to their taste than a title of their last basket. 0 is best, 0.5 is chance.",
            "",
            "| | titles ranked above |",
            "|---|---|",
            *(f"| {label} | {result['ranked_above'][name]:.4f} |" for name, label in ways_of(result).items()),
            "",
            verdict(result),
            "",
            "```json",
            json.dumps(told, indent=1, ensure_ascii=False),
            "```",
            "",
        ]
    )
