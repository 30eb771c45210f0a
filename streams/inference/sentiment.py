"""Which head of polarity reads the reviews: that of the settings, or else a shipped one for the running encoder."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from models.artefact.polarity import PolarityArtefact
from models.exceptions import ArtefactError
from models.profile import embedding_identity
from models.sentiment.head import PolarityHead
from models.text.cleaning import fingerprint as cleaning_fingerprint
from streams.inference.weak_polarity import weakness
from streams.log import log

if TYPE_CHECKING:
    # Torch takes a second to import, and a command that only looks at records needs none.
    from models.encoder.bert import Encoder

SHIPPED: Final = Path(str(resources.files("models") / "artefacts" / "sentiment"))
"""The folder of shipped heads, a folder each."""


def identify_embeddings(encoder: Encoder) -> str:
    """Return the identity of what a head of polarity reads: it is used for no other embeddings."""
    return embedding_identity(encoder.name, encoder.weights_digest, cleaning_fingerprint())


def shipped() -> Iterator[PolarityArtefact]:
    """Yield the shipped heads by the names of their folders.

    Raises:
        ArtefactError: one cannot be read.
    """
    return (PolarityArtefact.load(document.parent) for document in sorted(SHIPPED.glob("*/model.json")))


def artefact_for(named: str, encoder: Encoder) -> PolarityArtefact | None:
    """Return the head of polarity for an encoder, with all that it was made with.

    Args:
        named: its folder; empty for a shipped head, where one fits.
        encoder: the running one.

    Returns:
        None if none is named and no shipped head was made for this encoder.

    Raises:
        ArtefactError: the named one cannot be read, or was made for other embeddings.
    """
    embeddings = identify_embeddings(encoder)
    if not named:
        return next((artefact for artefact in shipped() if artefact.matches(embeddings)), None)
    artefact = PolarityArtefact.load(Path(named))
    if not artefact.matches(embeddings):
        raise ArtefactError(
            f"encoder: the head of sentiment {artefact.version} expects {artefact.encoder_identity}, found "
            f"{embeddings}; use that encoder, or train a head for this one with `train --head sentiment`"
        )
    return artefact


def load_sentiment(named: str, encoder: Encoder) -> PolarityHead | None:
    """Return what reads polarity in the running encoder's embeddings; say once in the log where it is weak or missing.

    Takes and raises what `artefact_for` does.
    """
    artefact = artefact_for(named, encoder)
    if artefact is None:
        log.info("no head of sentiment fits the encoder: reviews have no polarity", encoder=encoder.name)
        return None
    if weak := weakness_of(artefact):
        log.info(weak, head=artefact.polarity.identity)
    return artefact.polarity


def weakness_of(artefact: PolarityArtefact) -> str:
    """Return one line that says on which texts a head's polarity is weak, and what to do; empty where it is on none."""
    return weakness(artefact.auc, artefact.encoder_name, shipped())


def weakness_of_shipped(identity: str | None) -> str:
    """Return the line of `weakness_of` for the shipped head of this identity; empty for any other."""
    found = next((artefact for artefact in shipped() if artefact.polarity.identity == identity), None)
    return "" if found is None else weakness_of(found)
