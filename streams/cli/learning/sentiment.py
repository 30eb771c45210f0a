"""The head of sentiment on the command line: what `train` and `evaluate` do with `--head sentiment`."""

from __future__ import annotations

import argparse
import shlex
import sys
from datetime import date
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from streams.cli.common.progress import reporting
from streams.cli.common.refusals import as_json, print_refused
from streams.cli.common.sources import left_out_as_json, print_left_out, source_options, source_words
from streams.cli.learning.capacity_ablation import OUTPUT
from streams.cli.learning.heads import TEXTS
from streams.exceptions import ConfigurationError
from streams.inference.sentiment import shipped
from streams.inference.weak_polarity import weakness
from streams.log import log
from streams.settings import Settings, load_settings
from streams.terminal import shown

if TYPE_CHECKING:
    from streams.offline.sentiment.pairs import Gathered
    from streams.progress import Progress

_NAMES: Final = {"accuracy": "accuracy", "brier": "Brier", "calibration_error": "calib. error", "auc": "AUC"}


def train_sentiment(arguments: argparse.Namespace, made: date) -> int:
    """Fit the head of sentiment, judge it, and write its artefact with a card."""
    settings = _settings()
    if arguments.reviews is not None and arguments.output is None:
        raise ConfigurationError(
            "--output: expected a folder beside --reviews, found none; the shipped heads are made from bundled reviews"
        )
    if arguments.reviews is None and arguments.shop:
        raise ConfigurationError("--shop: expected --reviews beside it, found none; name your reviews")
    from models.artefact.card import CARD_FILE
    from models.artefact.polarity_card import polarity_card
    from models.profile import short_name
    from streams.inference.loading import open_encoder
    from streams.inference.sentiment import SHIPPED
    from streams.offline.sentiment import corpora, shop
    from streams.offline.sentiment.making import make
    from streams.offline.sentiment.pairs import gather, sample
    from streams.offline.sentiment.splitting import split

    with reporting() as progress:
        if arguments.reviews is None:
            gathered = gather(corpora.bundled())
            _print_gathered(gathered)
        else:
            gathered = _read(arguments, settings, progress).gathered
        parts = split(sample(gathered.pairs, arguments.texts))
        print(
            f"{len(parts.train):,} texts to be fitted to; {len(parts.unseen):,} of a fifth of the groups, to judge by; "
            f"{parts.alike:,} left out that are nearly the same as one of these"
        )
        log.info("training", texts=len(parts.train))
        fitted = make(
            parts,
            open_encoder(settings),
            data=corpora.DATA if arguments.reviews is None else shop.DATA,
            made=made,
            seed=arguments.seed,
            shop=arguments.shop or "",
            progress=progress,
        )
    artefact = fitted.artefact
    folder = arguments.output or SHIPPED / short_name(settings.encoder)
    card = polarity_card(artefact, _command(arguments, settings, made))
    artefact.save(folder, {CARD_FILE: card.encode()})
    print(f"{artefact.version}: {artefact.polarity.identity}, written to {folder}")
    _print_judged(fitted.judged, artefact.encoder_name)
    if arguments.output is not None:
        variable = f"WHEREWITHAL_SENTIMENT_ARTEFACT={shlex.quote(str(folder))}"
        print(f"next: {variable} wherewithal replay EVENTS, or wherewithal worker")
    return 0


def evaluate_sentiment(arguments: argparse.Namespace) -> int:
    """Judge a head of sentiment on texts that it was not fitted to; the shipped ones beside baselines."""
    settings = _settings()
    if arguments.reviews is None:
        return _publish(arguments, settings)
    if arguments.output is not None:
        raise ConfigurationError("--output: expected no --reviews beside it with --head sentiment; leave it out")
    from streams.inference.loading import open_encoder
    from streams.inference.sentiment import artefact_for
    from streams.offline.sentiment.judging import DRAWS
    from streams.offline.sentiment.pairs import sample
    from streams.offline.sentiment.report import judge_artefact

    with reporting() as progress:
        read = _read(arguments, settings, progress)
        encoder = open_encoder(settings)
        artefact = artefact_for(str(arguments.artefact or settings.sentiment_artefact or ""), encoder)
        if artefact is None:
            raise ConfigurationError(
                f"--artefact: expected a head of sentiment for {encoder.name}, found none shipped; train one with "
                "`train --head sentiment`"
            )
        judged = judge_artefact(
            artefact,
            sample(read.gathered.pairs, arguments.texts),
            encoder,
            draws=arguments.bootstrap or DRAWS,
            seed=arguments.seed,
            progress=progress,
        )
    if arguments.json:
        document = {"artefact": artefact.version, "head": artefact.polarity.identity, **judged, **read.account}
        print(orjson.dumps(document).decode())
    else:
        print(f"{artefact.version}: {artefact.polarity.identity}")
        _print_judged(judged["corpora"], artefact.encoder_name)
    return 0


def _settings() -> Settings:
    # What is fitted to embeddings depends on their last digits, and those on the number of threads.
    return load_settings().model_copy(update={"encoder_threads": 1})


class _Read(NamedTuple):
    """What was read of files, and what was not."""

    gathered: Gathered
    account: dict[str, Any]


def _read(arguments: argparse.Namespace, settings: Settings, progress: Progress) -> _Read:
    from streams.offline.sentiment.shop import COMPLAINT_TO, PRAISE_FROM, written
    from streams.offline.training.sound_events import SoundEvents

    options = source_options(arguments)
    events = SoundEvents(settings, options)
    as_text = not vars(arguments).get("json")
    try:
        found = written(events.read(arguments.reviews, progress, arguments.max_refused), events.erased)
    finally:
        # Where too much is refused, this tells why.
        if as_text:
            print_left_out(options)
            print_refused(events.refusals, events.places)
    account = {
        "events": events.events,
        "reviews": found.reviews,
        "between": found.between,
        "noisy": found.gathered.noisy,
        "repeated": found.gathered.repeated,
        "disputed": found.gathered.disputed,
        "refused": as_json(events.refusals, events.places),
        "left_out": left_out_as_json(options),
    }
    if as_text:
        print(
            f"{found.reviews:,} reviews in {events.events:,} events; {found.between:,} whose rating is above "
            f"{COMPLAINT_TO:g} and below {PRAISE_FROM:g} say neither praise nor complaint"
        )
        _print_gathered(found.gathered)
    return _Read(found.gathered, account)


def _publish(arguments: argparse.Namespace, settings: Settings) -> int:
    """Judge every shipped head beside baselines, and write the page and its numbers."""
    if arguments.artefact is not None:
        raise ConfigurationError(
            "--artefact: expected --reviews beside it with --head sentiment, found none; name them"
        )
    from streams.inference.loading import open_encoder
    from streams.offline.sentiment.corpora import bundled
    from streams.offline.sentiment.judging import DRAWS
    from streams.offline.sentiment.page import page
    from streams.offline.sentiment.pairs import gather
    from streams.offline.sentiment.report import report

    with reporting() as progress:
        document = report(
            lambda name: open_encoder(settings.model_copy(update={"encoder": name})),
            gather(bundled()),
            most=arguments.texts,
            draws=arguments.bootstrap or DRAWS,
            seed=arguments.seed,
            progress=progress,
        )
    folder = arguments.output or OUTPUT
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sentiment.json").write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    (folder / "sentiment.md").write_text(page(document), encoding="utf-8")
    if arguments.json:
        print(orjson.dumps(document).decode())
    else:
        for name, head in document["heads"].items():
            print(f"{head['artefact']}: {head['head']}")
            _print_judged(head["corpora"], name)
        print(f"written to {folder}")
    return 0


def _print_gathered(gathered: Gathered) -> None:
    print(
        f"left out: {gathered.repeated:,} texts that repeat another, {gathered.noisy:,} noisy or empty, and "
        f"{gathered.disputed:,} said with praise and with complaint"
    )


def _print_judged(judged: dict[str, Any], encoder_name: str) -> None:
    print("on texts of groups that it was not fitted to:")
    print(f"  {'':20} {'texts':>7} {'praise':>7} " + " ".join(f"{name:>12}" for name in _NAMES.values()))
    for corpus, found in judged.items():
        cells = [f"{found[name]['value']:12.3f}" if name in found else f"{'':12}" for name in _NAMES]
        print(f"  {shown(corpus)[:20]:20} {found['texts']:7,} {found['praise']:7.3f} {' '.join(cells)}")
    auc = {corpus: found["auc"]["value"] for corpus, found in judged.items() if "auc" in found}
    if weak := weakness(auc, encoder_name, shipped()):
        print(f"note: {weak}", file=sys.stderr)


def _command(arguments: argparse.Namespace, settings: Settings, made: date) -> str:
    words = [f"wherewithal train --head sentiment --date {made.isoformat()}"]
    if arguments.reviews is None:
        words.insert(0, f"WHEREWITHAL_ENCODER={shlex.quote(settings.encoder)}")
    else:
        words += ["--reviews EVENTS --output FOLDER", source_words(arguments)]
    words += [f"--shop {shlex.quote(arguments.shop)}"] if arguments.shop else []
    words += [f"--texts {arguments.texts}"] if arguments.texts != TEXTS else []
    words += [f"--seed {arguments.seed}"] if arguments.seed else []
    return " ".join(word for word in words if word)
