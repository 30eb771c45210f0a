"""Which head of polarity reads the reviews: that of the settings, or else a shipped one for the running encoder."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final

from models.artefact.polarity import PolarityArtefact
from models.encoder.bert import Encoder
from models.exceptions import ArtefactError
from models.profile import embedding_identity
from models.sentiment.head import PolarityHead
from models.text.cleaning import fingerprint as cleaning_fingerprint
from streams.log import log

SHIPPED: Final = Path(str(resources.files("models") / "artefacts" / "sentiment"))
"""The folder of shipped heads, a folder each."""


def identify_embeddings(encoder: Encoder) -> str:
    """Return the identity of what a head of polarity reads: it is used for no other embeddings."""
    return embedding_identity(encoder.name, encoder.weights_digest, cleaning_fingerprint())


def load_sentiment(named: str, encoder: Encoder) -> PolarityHead | None:
    """Return the head of polarity for the running encoder.

    Args:
        named: the folder that the settings name; empty for a shipped head, where one fits.
        encoder: the running one.

    Returns:
        None if the settings name none and no shipped head was made for this encoder.

    Raises:
        ArtefactError: the named one cannot be read, or was made for other embeddings.
    """
    embeddings = identify_embeddings(encoder)
    if named:
        artefact = PolarityArtefact.load(Path(named))
        if not artefact.matches(embeddings):
            raise ArtefactError(
                f"encoder: the head of polarity {artefact.version} expects {artefact.encoder_identity}, found "
                f"{embeddings}; use that encoder, or train a head for this one with `train --head sentiment`"
            )
        return artefact.polarity
    for document in sorted(SHIPPED.glob("*/model.json")):
        artefact = PolarityArtefact.load(document.parent)
        if artefact.matches(embeddings):
            return artefact.polarity
    log.info("no head of polarity fits the encoder: reviews have no polarity", embeddings=embeddings)
    return None
