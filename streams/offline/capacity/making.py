"""From rows and labels to a capacity artefact."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.artefact.capacity import CapacityArtefact
from models.scoring.capacity import CapacityScorer
from models.scoring.kinds.linear import LinearModel
from models.scoring.population import reference_of
from models.training.capacity.design import Design
from models.training.capacity.fitting import FOLDS, choose, fit
from models.training.threads import one_thread
from streams.offline.capacity.people import Gathered

DATA: Final = (
    "Rows that `wherewithal history` folded from the events of this deployment, and labels that somebody gave for some "
    "of their users. What the labels mean, whence they come and whether they may be used, is for whoever trained it to "
    "say here."
)

LEAST_EVIDENCE: Final = 5
"""Orders below which nothing is said of a user, unless `--evidence` names another number."""


class Made(NamedTuple):
    """An artefact, and what its card does not say.

    Attributes:
        artefact: with the metrics of the judgement.
        left_out: the scalars that do not vary in the rows.
        population: the users whose predictions are the reference.
    """

    artefact: CapacityArtefact
    left_out: tuple[str, ...]
    population: int


def make(
    gathered: Gathered,
    judged: dict[str, Any],
    *,
    least_evidence: int,
    seed: int,
    made: date,
    shop: str = "",
) -> Made:
    """Fit the head to every label, and compare with everybody of whom enough is known.

    The reference population are the users with the least evidence or more, labelled or not: those without are told
    nothing, and the many of whom one order is known would crowd the others to one end. Where nobody has as much, it is
    everybody.

    Args:
        gathered: rows and labels.
        judged: of `streams.offline.capacity.judging.judge`.
        least_evidence: orders, >= 0.
        seed: of the folds.
        made: the date in the version.
        shop: whose users they are, in words.
    """
    people = gathered.people
    with one_thread():
        design = Design(people, "both")
        chosen = choose(design, gathered.labelled, folds=FOLDS, seed=seed)
        model = fit(design, gathered.labelled, chosen)
        predictions = model.predict(people.values[:, design.kept], people.vectors)
    enough = gathered.orders >= least_evidence
    asked = enough if enough.any() else np.ones_like(enough)
    metrics: dict[str, float | dict[str, float]] = {
        "users": float(len(gathered.users)),
        "labelled": float(judged["n"]),
        "spearman": judged["spearman"],
        "concordance": judged["concordance"],
        "lift": dict(
            zip(("spearman", "low", "high"), (judged["lift"]["spearman"], *judged["lift"]["interval"]), strict=True)
        ),
        "options": {
            "weight_decay": chosen.decay,
            "text_share": chosen.blend.text_share,
            "window_power": chosen.blend.window_power,
        },
    }
    artefact = CapacityArtefact(
        scorer=CapacityScorer(model=model, reference=reference_of(predictions[asked]), least_evidence=least_evidence),
        encoder_name=gathered.encoder.partition("@")[0],
        encoder_identity=gathered.encoder,
        date=made,
        seed=seed,
        data=DATA,
        data_hash=_digest(gathered, model),
        shop=shop,
        metrics=metrics,
    )
    left_out = tuple(name for name in people.names if name not in design.names)
    return Made(artefact, left_out, int(asked.sum()))


def _digest(gathered: Gathered, model: LinearModel) -> str:
    """Return the SHA-256, in hexadecimal, of the labelled rows: names, users, features and labels."""
    digest = hashlib.sha256()
    labelled, people = gathered.labelled, gathered.people
    values = people.values[labelled.places]
    # An array's NaN has many bit patterns; one stands for all.
    arrays: tuple[NDArray[np.float64], ...] = (
        np.where(np.isnan(values), np.nan, values),
        people.vectors[labelled.places],
        labelled.labels,
    )
    texts = ["\n".join(f"{len(text)}:{text}" for text in group).encode() for group in (model.names, labelled.users)]
    for part in (*texts, *(array.astype("<f8").tobytes() for array in arrays)):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()
