"""From texts with a known polarity to an artefact of the head of polarity."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any, NamedTuple

import numpy as np

from models.artefact.polarity import PolarityArtefact
from models.encoder.bert import Encoder
from models.exceptions import InvalidInputError
from models.profile import short_name
from models.sentiment.fitting import fit, require_enough
from models.training.threads import one_thread
from streams.inference.sentiment import identify_embeddings
from streams.offline.sentiment.embedding import embed
from streams.offline.sentiment.judging import DRAWS, MEASURES, judge
from streams.offline.sentiment.pairs import Pair
from streams.offline.sentiment.splitting import Split
from streams.progress import Progress


class Made(NamedTuple):
    """An artefact, and how it was judged.

    Attributes:
        artefact: with the measures in its card.
        judged: of `streams.offline.sentiment.judging.judge`, on the texts that were held out.
    """

    artefact: PolarityArtefact
    judged: dict[str, Any]


def make(
    parts: Split,
    encoder: Encoder,
    *,
    data: str,
    made: date,
    seed: int = 0,
    shop: str = "",
    draws: int = DRAWS,
    progress: Progress | None = None,
) -> Made:
    """Fit a head to one part of the texts, and judge it on the other.

    Args:
        parts: of `streams.offline.sentiment.splitting.split`.
        encoder: whose embeddings the head is to read.
        data: where the pairs come from, in words.
        made: the date in the version.
        seed: of folds and resamplings.
        shop: whose reviews they are, in words.
        draws: resamplings, for the intervals.
        progress: told of the texts that are read.

    Raises:
        EncoderUnavailableError: the encoder is down.
        InvalidInputError: too few groups that praise, or that complain, on one of the two sides.
        MissingLibraryError: scikit-learn is not installed.
    """
    require_judges(parts.unseen)
    positive = np.array([pair.positive for pair in parts.train], bool)
    _, groups = np.unique([pair.group for pair in parts.train], return_inverse=True)
    require_enough(positive, groups)
    texts = [pair.text for pair in (*parts.train, *parts.unseen)]
    embeddings = embed(texts, encoder, progress)
    count = len(parts.train)
    with one_thread():
        fitted = fit(embeddings[:count], positive, groups, seed)
    artefact = PolarityArtefact(
        weights=fitted.weights,
        calibration=fitted.calibration,
        encoder_name=short_name(encoder.name),
        encoder_identity=identify_embeddings(encoder),
        date=made,
        seed=seed,
        data=data,
        data_hash=_digest(parts.train),
        shop=shop,
    )
    probability = artefact.polarity.probability(embeddings[count:])
    judged = judge(parts.unseen, probability, draws=draws, seed=seed)
    metrics: dict[str, float | dict[str, float]] = {
        "texts": float(count),
        "unseen": {corpus: float(found["texts"]) for corpus, found in judged.items()},
        "options": {"weight_decay": fitted.decay},
    }
    for name in MEASURES:
        metrics[name] = {corpus: found[name]["value"] for corpus, found in judged.items() if name in found}
    return Made(replace(artefact, metrics=metrics), judged)


def require_judges(unseen: Sequence[Pair]) -> None:
    """Refuse a set of held-out texts that could judge nothing.

    Raises:
        InvalidInputError: there are none that praise, or none that complain.
    """
    for name, positive in (("praise", True), ("complain", False)):
        if not any(pair.positive is positive for pair in unseen):
            raise InvalidInputError(
                f"texts: expected some that {name} among those of the fifth of the items that judges, found none; name "
                "more reviews"
            )


def _digest(pairs: Sequence[Pair]) -> str:
    """Return the SHA-256, in hexadecimal, of texts and polarities in their order."""
    digest = hashlib.sha256()
    for pair in pairs:
        encoded = pair.text.encode()
        digest.update(len(encoded).to_bytes(8, "little") + encoded + bytes([pair.positive]))
    return digest.hexdigest()
