"""`wherewithal train`: fit the scorer and write its artefact."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Final

from features.definitions import NAMES
from streams.exceptions import ConfigurationError
from streams.log import log
from streams.settings import load_settings

DATA: Final = (
    "Real: the purchases of the CDNOW sample (1997-01 to 1998-06), of the customers the split leaves for training. "
    "Simulated: every search, view, cart, favorite and review around them, with no knowledge of later spend; "
    "whatever weight the profile vector has is therefore fitted to noise and claims nothing."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `train`."""
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to write (default: the shipped artefact)")
    parser.add_argument("--seed", type=int, default=0, help="of the folds (default: 0)")
    parser.add_argument("--date", default=None, metavar="YYYY-MM-DD", help="the date in the version (default: today)")


def run(arguments: argparse.Namespace) -> int:
    """Fit on the training half of the CDNOW customers and write the artefact."""
    try:
        made = date.today() if arguments.date is None else date.fromisoformat(arguments.date)
    except ValueError as error:
        raise ConfigurationError(f"--date: expected YYYY-MM-DD, found {arguments.date!r}") from error
    settings = load_settings()
    # Torch takes a second to import: not for a wrong argument, and not for --help.
    from models.artefact import Artefact
    from models.encoder import BertEncoder
    from models.scorer import reference_of
    from models.training import train
    from streams.inference import artefact_folder
    from streams.sample.cdnow import orders
    from streams.sample.simulator import CATEGORIES, is_held_out
    from streams.sample.training_set import training_set

    logging.getLogger("wherewithal").setLevel(logging.INFO)
    encoder = BertEncoder.load(settings.encoder, settings.device, settings.encoder_threads)
    rows = training_set([order for order in orders() if not is_held_out(order.customer_id)], encoder)
    log.info("training", rows=len(rows.users), users=len(set(rows.users)))
    result = train(NAMES, rows.scalars, rows.profiles, rows.money, rows.users, seed=arguments.seed)
    everybody = result.scorer.predict(rows.scalars, rows.profiles).prediction
    artefact = Artefact(
        scorer=replace(result.scorer, reference=reference_of(everybody[rows.regular])),
        projection=rows.projection,
        encoder_name=encoder.name,
        encoder_identity=rows.encoder,
        date=made,
        seed=arguments.seed,
        data=DATA,
        data_hash=result.data_hash,
        categories=tuple(CATEGORIES),
        metrics=result.metrics,
    )
    folder = arguments.output or artefact_folder(settings)
    artefact.save(folder)
    print(f"{artefact.version}: weight decay {result.weight_decay:g}, written to {folder}")
    for name, value in result.metrics.items():
        if isinstance(value, float):
            print(f"  {name:24} {value:,.4f}")
    return 0
