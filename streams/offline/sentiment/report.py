"""The judgement of heads that exist: the one in use on a shop's reviews, and the shipped ones beside baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from models.artefact.polarity import PolarityArtefact
from models.encoder.bert import Encoder
from models.exceptions import ArtefactError
from streams.inference.sentiment import SHIPPED, artefact_for
from streams.offline.sentiment import corpora
from streams.offline.sentiment.baselines import baselines
from streams.offline.sentiment.embedding import embed
from streams.offline.sentiment.judging import judge
from streams.offline.sentiment.making import require_judges
from streams.offline.sentiment.pairs import HELD_OUT, Gathered, Pair, sample
from streams.offline.sentiment.splitting import split
from streams.progress import Progress


def judge_artefact(
    artefact: PolarityArtefact,
    pairs: Sequence[Pair],
    encoder: Encoder,
    *,
    draws: int,
    seed: int,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Judge a head on a shop's reviews that it was not fitted to.

    Of a head that was fitted to bundled reviews these are all of them. Of any other they are those of the groups that
    no training takes, whatever files it was given.

    Args:
        artefact: for this encoder.
        pairs: of the shop.
        encoder: that embeds them.
        draws: resamplings, for the intervals.
        seed: of the resamplings.
        progress: told of the texts that are read.

    Returns:
        `held_out`, whether only the held-out groups judge, and `corpora`, of `streams.offline.sentiment.judging.judge`.

    Raises:
        EncoderUnavailableError: the encoder is down.
        InvalidInputError: no text that praises, or none that complains.
    """
    held_out = artefact.data != corpora.DATA
    unseen = split(pairs).unseen if held_out else list(pairs)
    require_judges(unseen)
    embeddings = embed([pair.text for pair in unseen], encoder, progress)
    judged = judge(unseen, artefact.polarity.probability(embeddings), draws=draws, seed=seed)
    return {"held_out": held_out, "corpora": judged}


def report(
    open_encoder: Callable[[str], Encoder],
    gathered: Gathered,
    *,
    most: int,
    draws: int,
    seed: int,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Judge every shipped head, and baselines, on the bundled reviews that none was fitted to.

    Args:
        open_encoder: loads an encoder by its bundled name.
        gathered: the bundled reviews.
        most: held-out texts of each corpus that are read.
        draws: resamplings, for the intervals.
        seed: of the resamplings.
        progress: told of the texts that are read.

    Raises:
        ArtefactError: a shipped head was made for another version of its encoder.
        ModelsError: an encoder cannot be loaded.
    """
    parts = split(gathered.pairs)
    unseen = sample(parts.unseen, most)
    heads: dict[str, Any] = {}
    for folder in sorted(path.parent for path in SHIPPED.glob("*/model.json")):
        encoder = open_encoder(folder.name)
        artefact = artefact_for(str(folder), encoder)
        if artefact is None:
            raise ArtefactError(f"sentiment: expected a head in {folder}, found none; train it again")
        embeddings = embed([pair.text for pair in unseen], encoder, progress)
        probability = artefact.polarity.probability(embeddings)
        heads[folder.name] = {
            "artefact": artefact.version,
            "head": artefact.polarity.identity,
            "texts": artefact.metrics["texts"],
            "corpora": judge(unseen, probability, draws=draws, seed=seed),
        }
    held_against = {
        name: judge(unseen, probability, draws=draws, seed=seed)
        for name, probability in baselines(parts.train, unseen).items()
    }
    return {
        "data": corpora.DATA,
        "seed": seed,
        "held_out": HELD_OUT,
        "left_out": {
            "noisy": gathered.noisy,
            "repeated": gathered.repeated,
            "disputed": gathered.disputed,
            "alike": parts.alike,
        },
        "texts": {"train": len(parts.train), "unseen": len(unseen)},
        "heads": heads,
        "baselines": held_against,
    }
