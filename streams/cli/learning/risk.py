"""The trial of risk on the command line: what `evaluate` does with `--head risk`."""

from __future__ import annotations

import argparse
from typing import Any

import orjson

from streams.cli.common.progress import reporting
from streams.cli.learning.capacity_ablation import OUTPUT
from streams.exceptions import ConfigurationError
from streams.settings import load_settings


def evaluate_risk(arguments: argparse.Namespace) -> int:
    """Plant campaigns into real traffic, and write the page of what was found, with every number in it."""
    from models.artefact.artefact import Artefact
    from streams.inference.loading import artefact_folder, identify, open_encoder
    from streams.inference.sentiment import load_sentiment
    from streams.offline.complete_journey.promotions import promoted_weeks
    from streams.offline.complete_journey.purchases import purchases
    from streams.offline.risk.judging import DRAWS
    from streams.offline.risk.page import page
    from streams.offline.risk.report import report
    from streams.offline.sentiment.corpora import bundled
    from streams.offline.sentiment.embedding import embed

    # What is judged depends on the last digits of embeddings, and those on the number of threads.
    settings = load_settings().model_copy(update={"encoder_threads": 1})
    encoder = open_encoder(settings)
    head = load_sentiment(settings.sentiment_artefact or "", encoder)
    if head is None:
        raise ConfigurationError(
            f"--head risk: expected a head of sentiment for {encoder.name}, found none shipped; train one with "
            "`train --head sentiment` and name it by WHEREWITHAL_SENTIMENT_ARTEFACT"
        )
    artefact = Artefact.load(artefact_folder(settings))
    draws = arguments.bootstrap or DRAWS

    with reporting() as progress:
        document: dict[str, Any] = report(
            bundled(),
            purchases,
            promoted_weeks,
            lambda texts: embed(texts, encoder),
            head,
            artefact.projection,
            draws=draws,
            seed=arguments.seed,
            progress=progress,
        )
    document |= {
        "encoder": identify(encoder, artefact.projection),
        "head": head.identity,
        "seed": arguments.seed,
        "draws": draws,
    }
    folder = arguments.output or OUTPUT
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "risk.json").write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    (folder / "risk.md").write_text(page(document), encoding="utf-8")
    print(orjson.dumps(document).decode() if arguments.json else f"written to {folder / 'risk.md'}")
    return 0
