"""The model card of an artefact: what it is, what it may be used for, and how good it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from models.artefact.artefact import Artefact
from models.artefact.sections import joined
from models.measures.chance import chance_warning
from models.scoring.kinds.loglinear import LogLinearModel

CARD_FILE: Final = "card.md"

_KINDS: Final = {
    "loglinear": "a log-linear model of a power mean of money, by Poisson pseudo-likelihood with two L2 penalties",
    "linear": "a linear model of log1p(money), fitted by least squares with an L2 penalty (AdamW)",
    "ziln": "a zero-inflated log-normal network with one hidden layer (Wang, Liu & Miao 2019)",
    "gbm": "boosted regression trees on log1p(money) (LightGBM), stored as arrays",
    "ensemble": "a weighted mean of a linear model, a zero-inflated log-normal network and boosted trees",
}

_METRICS: Final = {
    "concordance": "share of pairs of rows in the right order",
    "normalized_gini": "Gini of spend in the order predicted, over that of the perfect order",
    "top_decile_share": "share of all spend held by the tenth predicted highest",
    "spearman": "rank correlation; most rows are tied at no spend, so it is low for every model",
    "rmse_log1p": "root mean squared error of log1p(money)",
    "calibration_error": "mean gap between expected and actual spend by decile, over mean spend",
    "mae": "mean absolute error of expected spend",
    "rmse": "root mean squared error of expected spend",
    "order_loss": "1 - (concordance + normalised Gini) / 2",
    "rows": "rows judged",
}


def card(artefact: Artefact, command: str) -> str:
    """Return the card as Markdown; the same artefact and command give the same text.

    Args:
        artefact: the one to describe.
        command: what makes it again.
    """
    model, metrics = artefact.scorer.model, artefact.metrics
    sections = {
        f"Model card: scorer {artefact.version}": [
            f"Predicts what a shopper spends in the next 30 days: {_KINDS.get(model.kind, model.kind)}.",
            "The prediction is on the scale of log1p(money); a monotone calibration turns it into mean money, and the "
            "share of a reference population that is predicted no more makes the score.",
            f"Made on {artefact.date.isoformat()} with seed {artefact.seed}. Encoder: `{artefact.encoder_identity}`. "
            f"Reasons: attribution `{artefact.scorer.attribution}`.",
        ],
        "Data and its limits": [
            artefact.data,
            f"{_number(metrics, 'rows')} rows of {_number(metrics, 'users')} users, SHA-256 `{artefact.data_hash}`. "
            "A row is a user at an instant, with the features as they are served and the money spent in the 30 days "
            "after it.",
            *_origin(artefact),
            *_holdout(artefact),
        ],
        "Features": [
            f"{len(artefact.scorer.names)} scalars and a profile vector of {artefact.width} elements: "
            + ", ".join(f"`{name}`" for name in artefact.scorer.names)
            + ".",
            *_derived(artefact),
            "None is a protected attribute, an address or a name. What a shopper writes enters as the profile vector.",
        ],
        "Quality": [
            *_warning(metrics),
            "Cross-validated over users: each row is predicted by a model that has not seen its user.",
            _table(metrics),
            *_later(metrics),
            *_by_fold(metrics),
            "Options chosen: " + _pairs(metrics.get("options")) + ". They were chosen on the folds reported here, "
            "so expect a little less of users to come.",
        ],
        "Intended use": [
            "Ordering shoppers for recommendations, for the size of an offer and for planning, within the shop whose "
            "events it was trained on, and only while its drift and calibration are watched.",
        ],
        "Not to be used for": [
            "Credit, insurance, employment, housing or any decision about a person's rights or access; a price that "
            "one person pays for the same thing; anything about children. It says what somebody is likely to spend in "
            "this shop, not what they own or can afford. It does not transfer to another shop, country or decade.",
        ],
        "Fairness": [
            "No protected attribute is read, but habits, categories and language can stand in for one. "
            "`wherewithal evaluate --group COLUMN` compares scores, the share of high tiers and calibration between "
            "groups. Of a third of the bundled households income, age, composition and children are known: its report "
            "compares them, which demonstrates the comparison and clears nobody. "
            "Where an attribute may lawfully be known, compare before use. A low score follows from little activity: "
            "a newcomer is scored low because little is known, not because little is to be expected.",
        ],
        "Make it again": [
            f"```sh\n{command}\n```",
            "On one machine the same code, libraries, data and seed write the same bytes, however many threads the "
            "environment allows: everything is computed in one. Another processor, device or build of a library may "
            "differ in the last digits; the projection, and with it the encoder's identity, is then another one.",
        ],
    }
    return joined(sections)


def _origin(artefact: Artefact) -> list[str]:
    origin, measured = artefact.origin, artefact.scorer.calibration.trusted_up_to
    if origin is None:
        return ["Shop, currency and prices were not recorded: whether it fits a shop is `unknown`."]
    amounts = [
        (origin.order_values, "of nine tenths of the buyers the mean order is worth {} to {}"),
        (origin.viewed_prices, "what nine tenths of the shoppers looked at costs {} to {} on average"),
    ]
    known = [text.format(f"{levels[0]:,.2f}", f"{levels[-1]:,.2f}") for levels, text in amounts if levels]
    bounds = ", ".join(f"{bound:,.2f}" for bound in origin.price_bounds)
    return [
        f"Shop: {origin.shop or 'not named'}. All money is in {origin.currency}: "
        + "; ".join([*known, f"price bands end at {bounds}" if bounds else "no price bands were learnt"])
        + ".",
        f"`expected_spend` was measured up to {measured:,.2f} {origin.currency}. Beyond it is extrapolated, no steeper "
        "than below: greater figures say that more is expected, not how much.",
        f"{len(artefact.categories)} categories are counted by name.",
    ]


def _holdout(artefact: Artefact) -> list[str]:
    holdout = artefact.holdout
    if holdout is None:
        return []
    return [
        f"Held out, and neither trained nor chosen on: a share of {holdout.share:g} of the users, by a hash of the id "
        f"with the salt `{holdout.salt}`. They were {holdout.users:,} users with {holdout.rows:,} rows. `wherewithal "
        "evaluate --rows` judges the scorer on them.",
    ]


def _warning(metrics: Mapping[str, float | dict[str, float]]) -> list[str]:
    warning = chance_warning(metrics)
    return [] if warning is None else [f"**Warning:** {warning}."]


def _derived(artefact: Artefact) -> list[str]:
    model = artefact.scorer.model
    if not isinstance(model, LogLinearModel):
        return []
    columns = ", ".join(f"`{name}`" for name in model.derived.columns) or "none"
    return [
        f"Columns made of them: {columns}. In the reasons each counts with the feature it is chiefly made of. The "
        "profile's weights have a penalty of their own, the largest that cross-validation does not tell apart from the "
        "best, so that text which carries nothing is left next to nothing to say.",
    ]


def _number(metrics: Mapping[str, float | dict[str, float]], name: str) -> str:
    value = metrics.get(name)
    return f"{value:,.0f}" if isinstance(value, float) else "an unknown number of"


def _table(metrics: Mapping[str, float | dict[str, float]]) -> str:
    found = {
        name: value for name, value in metrics.items() if isinstance(value, float) and name not in ("rows", "users")
    }
    lines = [f"| `{name}` | {value:.4f} | {_METRICS.get(name, '')} |" for name, value in found.items()]
    return "\n".join(["| metric | value | meaning |", "|---|---|---|", *lines])


def _later(metrics: Mapping[str, float | dict[str, float]]) -> list[str]:
    later = metrics.get("later")
    if not isinstance(later, dict):
        return ["The rows allowed no split by time."]
    return [
        "Of users it had not seen, at instants later than any outcome it was fitted on: " + _pairs(later) + ".",
    ]


def _by_fold(metrics: Mapping[str, float | dict[str, float]]) -> list[str]:
    names = [name for name in metrics if name.endswith("_by_fold") and isinstance(metrics[name], dict)]
    return [f"`{name.removesuffix('_by_fold')}` by fold: {_pairs(metrics[name])}." for name in names]


def _pairs(values: float | Mapping[str, float] | None) -> str:
    if not isinstance(values, Mapping):
        return "none"
    return ", ".join(f"{name} {value:,.4g}" for name, value in values.items())
