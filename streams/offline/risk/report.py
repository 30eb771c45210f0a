"""The whole trial of risk: texts, likeness, the year of items with what is planted in it, and the judgement."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from features.items.review_memory import ENTRY_BYTES, REMEMBERED_REVIEWS
from features.items.review_oddities import CONTRARY_POLARITY
from features.items.review_signature import SIGNATURE_BYTES, says_enough, signature
from models.profile import Projection
from models.sentiment.head import PolarityHead
from streams.offline.complete_journey.purchases import Purchase
from streams.offline.risk import likeness, promoted, trial
from streams.offline.risk.campaigns import CAMPAIGNS, ORDINARY, PROMOTIONS
from streams.offline.risk.judging import judge
from streams.offline.risk.likeness import Spoken
from streams.offline.risk.traffic import Said, often_bought, sold
from streams.offline.risk.words import Embed, Words, words
from streams.offline.sentiment.pairs import Pair
from streams.progress import Progress

ITEMS: Final = 2_400
"""Items of the trial."""
PLANTED: Final = (ORDINARY,) * 6 + PROMOTIONS + CAMPAIGNS
"""What is planted, in turn: half of the items are ordinary."""
REWRITTEN: Final = 200
"""Texts of a language that are rewritten."""
EMBEDDED: Final = 100
"""Of them, those whose rewrites are embedded too."""


def report(
    pairs: Iterable[Pair],
    purchases: Callable[[], Iterable[Purchase]],
    promotions: Callable[[Collection[str]], Mapping[str, Collection[int]]],
    embed: Embed,
    head: PolarityHead,
    projection: Projection,
    *,
    draws: int,
    seed: int,
    progress: Progress,
    items: int = ITEMS,
) -> dict[str, Any]:
    """Run the trial.

    Args:
        pairs: texts whose polarity is known, as they were written.
        purchases: yields a year of purchases by time.
        promotions: gives the weeks in which products were promoted.
        embed: gives the embeddings of texts: float32 [n, width].
        head: of polarity.
        projection: P.
        draws: resamplings of items.
        seed: of everything that is drawn.
        progress: called before each step.
        items: of the trial.

    Returns:
        `likeness` and `embedding` by language, `polarity` by language, `memory`, `promoted` (`promoted.summary`), and
        what `judge` returns.
    """
    rng = random.Random(seed)
    progress("reading texts", 0, 1)
    found = words(pairs, embed, head, rng)
    progress("comparing texts", 0, 1)
    spoken = {language: _spoken(found, language) for language in found.said}

    def project(texts: Sequence[str]) -> NDArray[np.float64]:
        return projection.apply(embed(texts))

    by_signature, by_embedding = {}, {}
    for language, texts in spoken.items():
        by_signature[language] = likeness.of_signatures(texts, REWRITTEN, rng)
        enough = [each for each in texts if says_enough(signature(each.text))]
        by_embedding[language] = likeness.beside_embeddings(enough, EMBEDDED, project, rng)
    progress("reading purchases", 0, 1)
    times = often_bought(purchases())
    chosen = sold(times, items, sorted(found.said), rng)
    kinds = [PLANTED[place % len(PLANTED)] for place in range(len(chosen))]
    # The halves take turns: in pairs of the same kind they would not know every kind.
    rng.shuffle(kinds)
    watched = trial.run(chosen, kinds, found.said, rng, progress)
    progress("reading promotions", 0, 1)
    weeks = promotions(times)
    sales = promoted.bursts_of_sales(times, weeks)
    on_sale = promoted.run(times, {name: begin for name, (begin, _) in sales.items()}, found.said, rng, progress)
    judged = judge(watched, draws, seed)
    return {
        "likeness": by_signature,
        "embedding": by_embedding,
        "polarity": {language: _read(found, language) for language in found.said},
        "memory": {"reviews": REMEMBERED_REVIEWS, "bytes": ENTRY_BYTES, "signature_bytes": SIGNATURE_BYTES},
        "reviews": sum(len(item.reviews) for item in chosen),
        "purchases": sum(len(item.bought) for item in chosen),
        "promoted": promoted.summary(times, weeks, sales, on_sale, judged["threshold"]),
        **judged,
    }


def _said(found: Words, language: str) -> list[Said]:
    return [each for praises in (True, False) for each in found.said[language][praises]]


def _spoken(found: Words, language: str) -> list[Spoken]:
    return [
        Spoken(said.text, subject)
        for said, subject in zip(_said(found, language), found.subjects[language], strict=True)
    ]


def _read(found: Words, language: str) -> dict[str, float]:
    """Return how often the head takes texts for the opposite: honest ones, and those with the other one's rating."""
    said = _said(found, language)
    against = np.array([-each.polarity if each.praises else each.polarity for each in said])
    return {
        "texts": len(said),
        "honest": float((against >= CONTRARY_POLARITY).mean()),
        "contrary": float((-against >= CONTRARY_POLARITY).mean()),
    }
