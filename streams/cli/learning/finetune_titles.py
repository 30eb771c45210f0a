"""`wherewithal finetune --texts titles`: adapt encoder and projection to what is bought together."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from streams.cli.common.progress import reporting
from streams.cli.common.refusals import print_refused
from streams.cli.common.sources import print_left_out, source_options
from streams.cli.learning.curve import curve
from streams.settings import load_settings

if TYPE_CHECKING:
    from models.finetuning.options import Options


def adapt(arguments: argparse.Namespace, options: Options) -> None:
    """Adapt encoder and projection, print the curve and the comparison, and write the folder."""
    from models.finetuning.titles.adapting import adapt_to_titles
    from models.finetuning.titles.card import verdict, ways_of
    from models.finetuning.titles.purchases import Pairs, gather
    from streams.offline.training.sound_events import SoundEvents, bought

    settings = load_settings()
    source = source_options(arguments)
    watch, close = curve(arguments.log_dir, _show)
    try:
        with reporting() as report:
            events = SoundEvents(settings, source)
            purchases = gather(bought(events.read(arguments.files, report, arguments.max_refused)), events.erased)
            result = adapt_to_titles(
                arguments.encoder or settings.encoder,
                purchases,
                arguments.output,
                options,
                pairs=Pairs(arguments.pairs or Pairs.SHOPPERS),
                data=f"{events.events:,} events, {len(purchases):,} purchases of {len(purchases.shoppers):,} shoppers",
                frozen_weights=arguments.projection_only,
                device=settings.device,
                cache=settings.cache_dir,
                resume=arguments.resume,
                watch=watch,
                told=report,
            )
    finally:
        close()
    print_left_out(source)
    print_refused(events.refusals, events.places)
    print(
        f"{len(purchases.titles):,} titles in {len(purchases):,} purchases of {len(purchases.shoppers):,} shoppers; "
        f"{purchases.left_out:,} without a title that counts"
    )
    if "steps" in result:
        print(f"{result['steps']:,} steps in {result['seconds']:,.0f} s: {result['ended']}")
    print(f"other titles ranked above what is bought next, {result['judges']:,} unseen shoppers (0.5 is chance):")
    for name, label in ways_of(result).items():
        print(f"  {label:40}{result['ranked_above'][name]:.4f}")
    print(verdict(result))
    print(f"written to {arguments.output}: set WHEREWITHAL_ENCODER={arguments.output} to use it")


def _show(point: dict[str, float]) -> None:
    training = f"{point['train_loss']:.4f}" if "train_loss" in point else "     -"
    print(
        f"step {point['step']:6,.0f}  {point['seconds']:6,.0f} s  training loss {training}  titles ranked above: "
        f"stopping {point['stopping_ranked_above']:.4f}, validation {point['validation_ranked_above']:.4f}",
        flush=True,
    )
