"""The card of a capacity artefact: what it is, what it may never be used for, and how good it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from models.artefact.capacity import CapacityArtefact
from models.artefact.sections import joined
from models.scoring.capacity import EVIDENCE

_PARTS: Final = {
    "behaviour": "the scalars alone",
    "text": "the vectors of texts and titles alone",
    "both": "all of them, as it is served",
}


def capacity_card(artefact: CapacityArtefact, command: str) -> str:
    """Return the card as Markdown; the same artefact and command give the same text.

    Args:
        artefact: the one to describe.
        command: what makes it again.
    """
    scorer, metrics = artefact.scorer, artefact.metrics
    lower, upper = scorer.band_bounds
    sections = {
        f"Model card: capacity {artefact.version}": [
            f"Head: `{artefact.head}`. Estimates where a shopper stands among those whose label was known, as an "
            "order: a linear model of the label's rank, fitted by least squares with two L2 penalties.",
            "`prediction` is the expected share of labelled users whose label is less (0 to 1). `capacity` is 100 x "
            f"the share of the reference population that is predicted no more. Bands: `lower` below {lower:g}, `upper` "
            f"from {upper:g}, `middle` between them. It is an ordinal estimate and never an amount: it is not income.",
            f"Below {scorer.least_evidence} orders (`{EVIDENCE}`) nothing is said: the band is `unknown`.",
            f"Made on {artefact.date.isoformat()} with seed {artefact.seed}. Encoder: `{artefact.encoder_identity}`; "
            "the projection is that of the scorer of spend that the rows were folded with. "
            f"Reasons: attribution `{scorer.model.attribution}`.",
        ],
        "Not to be used for": [
            f"`not_for`: {', '.join(f'`{use}`' for use in artefact.not_for)}. Nor for any decision about a person's "
            "rights or access, nor about children. What people buy gives away their age, their household and their "
            "means; an estimate of these that is turned against them is what laws on profiling are made for. Whoever "
            "enables it answers for the purpose.",
        ],
        "Intended use": [
            "Ordering ranges, recommendations and planning for groups of shoppers within the shop whose users were "
            "labelled, after its errors were compared between groups with `evaluate --head capacity --group COLUMN`.",
        ],
        "Data and its limits": [
            artefact.data,
            f"Shop: {artefact.shop or 'not named'}. {_count(metrics, 'labelled')} labelled users among "
            f"{_count(metrics, 'users')}, each at the latest row; SHA-256 `{artefact.data_hash}`. "
            "Unlabelled users lend means and scales of the features, and the reference population.",
        ],
        "Features": [
            f"{len(scorer.names)} scalars and the vectors {', '.join(f'`{name}`' for name in scorer.vectors)}, each "
            "one reason: " + ", ".join(f"`{name}`" for name in scorer.names) + ".",
        ],
        "Quality": [
            "Cross-validated over users: each is predicted by a fit that has not seen the user, and whose penalties "
            "were chosen without the user.",
            _table(metrics),
            _lift(metrics),
            "Penalties chosen: " + _pairs(metrics.get("options")) + ".",
        ],
        "Make it again": [
            f"```sh\n{command}\n```",
            "On one machine the same code, libraries, rows, labels and seed write the same bytes.",
        ],
    }
    return joined(sections)


def _count(metrics: Mapping[str, float | dict[str, float]], name: str) -> str:
    value = metrics.get(name)
    return f"{value:,.0f}" if isinstance(value, float) else "an unknown number of"


def _table(metrics: Mapping[str, float | dict[str, float]]) -> str:
    orders, pairs = metrics.get("spearman"), metrics.get("concordance")
    if not isinstance(orders, dict) or not isinstance(pairs, dict):
        return "It was not measured."
    lines = [
        f"| {_PARTS.get(part, part)} | {orders[part]:.3f} | {pairs[part]:.3f} |" for part in orders if part in pairs
    ]
    return "\n".join(["| what is read | Spearman | concordance |", "|---|---|---|", *lines])


def _lift(metrics: Mapping[str, float | dict[str, float]]) -> str:
    lift = metrics.get("lift")
    if not isinstance(lift, dict):
        return "What text adds was not measured."
    return (
        f"Text adds {lift['spearman']:+.3f} of Spearman to behaviour (95 % {lift['low']:+.3f} to {lift['high']:+.3f}, "
        "by resampling users)."
    )


def _pairs(values: float | Mapping[str, float] | None) -> str:
    if not isinstance(values, Mapping):
        return "none"
    return ", ".join(f"{name} {value:,.4g}" for name, value in values.items())
