"""`evaluate --head capacity` without rows: the ablation of text on the bundled purchases, published."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import orjson

from streams.cli.common.progress import reporting
from streams.exceptions import ConfigurationError
from streams.settings import load_settings

OUTPUT: Final = Path("evaluation")
"""Where `evaluate` writes, unless told."""


def publish_ablation(arguments: argparse.Namespace) -> int:
    """Write the ablation on the bundled purchases: the page, and every number in it."""
    if arguments.group:
        raise ConfigurationError(
            "--group: expected --rows and --labels beside it, found none; it is in the page anyway"
        )
    from models.artefact.artefact import Artefact
    from models.exceptions import ArtefactError
    from streams.inference.loading import artefact_folder, identify, open_encoder
    from streams.offline.capacity.ablation import ablation
    from streams.offline.capacity.journey import YEAR, fold
    from streams.offline.capacity.judging import DRAWS
    from streams.offline.capacity.page import page
    from streams.offline.capacity.tastes import Tastes, led_by, read
    from streams.offline.complete_journey.households import households
    from streams.offline.complete_journey.purchases import purchases

    settings = load_settings()
    artefact, encoder = Artefact.load(artefact_folder(settings)), open_encoder(settings)
    identity = identify(encoder, artefact.projection)
    if not artefact.matches(identity):
        raise ArtefactError(
            f"encoder: artefact {artefact.version} expects {artefact.encoder_identity}, found {identity}; name the "
            "encoder that it was fitted for"
        )
    known = households()
    with reporting() as progress:
        progress("folding purchases", 0, 1)
        journey = fold(purchases)
        progress("reading titles", 0, 1)
        embeddings = read(journey.titles, encoder)
        led = led_by(journey.snapshots[YEAR], {household.user_id for household in known}, embeddings)
        tastes = Tastes(embeddings, artefact.projection, led, journey.titles, journey.categories)
        draws = arguments.bootstrap or DRAWS
        document = ablation(journey, tastes, known, draws=draws, seed=arguments.seed, progress=progress)
    document |= {"encoder": identity, "seed": arguments.seed, "draws": draws}
    output = arguments.output or OUTPUT
    output.mkdir(parents=True, exist_ok=True)
    (output / "capacity.json").write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    (output / "capacity.md").write_text(page(document), encoding="utf-8")
    print(orjson.dumps(document).decode() if arguments.json else f"written to {output / 'capacity.md'}")
    return 0
