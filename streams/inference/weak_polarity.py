"""Where a head of polarity tells little, in words: for which texts, and which encoder reads them better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from models.artefact.polarity import PolarityArtefact
from streams.terminal import shown

WEAK_AUC: Final = 0.75
"""AUC below which polarity is weak: a list of words reaches about as much (`docs/report/sentiment.md`)."""


def weakness(auc: Mapping[str, float], encoder_name: str, shipped: Iterable[PolarityArtefact]) -> str:
    """Return one line that says on which texts polarity is weak, and what to do; empty where it is on none.

    Args:
        auc: by corpus, on texts that the head was not fitted to.
        encoder_name: the encoder whose embeddings the head reads.
        shipped: heads that may read these texts better, by another encoder.
    """
    others = [artefact for artefact in shipped if artefact.encoder_name != encoder_name]
    told = []
    for corpus, value in sorted(auc.items()):
        if value >= WEAK_AUC:
            continue
        better = max(others, key=lambda artefact: artefact.auc.get(corpus, 0.0), default=None)
        reached = 0.0 if better is None else better.auc.get(corpus, 0.0)
        if better is not None and reached >= WEAK_AUC:
            advice = f"for such texts take the encoder {better.encoder_name} ({reached:.2f})"
        else:
            advice = "take an encoder that was made for their language, or train a head on more of them"
        told.append(f"{shown(corpus)} (AUC {value:.2f}, where 0.5 is chance): {advice}")
    return f"polarity by {encoder_name} is weak on {'; and on '.join(told)}" if told else ""
