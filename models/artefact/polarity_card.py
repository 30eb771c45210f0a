"""The card of a head of polarity: what it is, what it was fitted to, and how good it is where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from models.artefact.polarity import PolarityArtefact
from models.artefact.sections import joined

_MEASURES: Final = {
    "accuracy": "accuracy",
    "brier": "Brier score",
    "calibration_error": "calibration error",
    "auc": "AUC",
}


def polarity_card(artefact: PolarityArtefact, command: str) -> str:
    """Return the card as Markdown; the same artefact and command give the same text.

    Args:
        artefact: the one to describe.
        command: what makes it again.
    """
    metrics = artefact.metrics
    sections = {
        f"Model card: sentiment {artefact.version}": [
            f"Head: `{artefact.head}`, `{artefact.polarity.identity}`. Tells praise from complaint in a review's text: "
            "a logistic regression over the encoder's mean-pooled embedding, its probability p calibrated after Platt "
            "on texts that the fit had not seen. Polarity is 2 p - 1, from -1 (complaint) to 1 (praise); near 0 it "
            "does not know.",
            f"Made on {artefact.date.isoformat()} with seed {artefact.seed}. It reads the embeddings of "
            f"`{artefact.encoder_identity}` and no others.",
        ],
        "Intended use": [
            "Adding up many reviews of an item, and comparing texts with ratings. Of one review it is often wrong, see "
            "below: it is no ground for removing, hiding or answering it, nor for a judgement of who wrote it.",
        ],
        "Data and its limits": [
            artefact.data,
            f"Shop: {artefact.shop or 'not named'}. {_count(metrics, 'texts')} texts; SHA-256 `{artefact.data_hash}`. "
            "p is calibrated to the share of praise among these texts. Irony, and praise of one thing beside complaint "
            "of another, are read badly by design: one number is made of one mean over all tokens.",
        ],
        "Quality": [
            "On texts of groups (films, items) that it was not fitted to, none nearly the same as one that it was:",
            _table(metrics),
        ],
        "Make it again": [
            f"```sh\n{command}\n```",
            "On one machine the same code, libraries, texts and seed write the same bytes.",
        ],
    }
    return joined(sections)


def _count(metrics: Mapping[str, float | dict[str, float]], name: str) -> str:
    value = metrics.get(name)
    return f"{value:,.0f}" if isinstance(value, float) else "An unknown number of"


def _table(metrics: Mapping[str, float | dict[str, float]]) -> str:
    unseen = metrics.get("unseen")
    if not isinstance(unseen, dict):
        return "It was not measured."
    lines = ["| texts | number | " + " | ".join(_MEASURES.values()) + " |", "|---" * (2 + len(_MEASURES)) + "|"]
    # Not as they stand: an artefact that was read back has them in another order.
    for corpus, number in sorted(unseen.items()):
        found = [metrics.get(name) for name in _MEASURES]
        cells = [f"{each[corpus]:.3f}" if isinstance(each, dict) and corpus in each else "-" for each in found]
        lines.append(f"| {corpus} | {number:,.0f} | {' | '.join(cells)} |")
    return "\n".join(lines)
