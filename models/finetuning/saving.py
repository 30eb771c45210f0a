"""The output of a run: an ordinary encoder's folder, with the curve, the head and a card beside it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from transformers.utils import logging

from models.libraries import FINETUNE, library

RESULT_FILE: Final = "finetuning.json"
CARD_FILE: Final = "README.md"
PLOT_FILE: Final = "curve.png"
NOT_COPIED: Final = (
    "*.safetensors",
    "*.bin",
    "*.onnx",
    "*.h5",
    "*.msgpack",
    "*.sha256",
    "config.json",
    "README.md",
    ".*",
)
"""Weights of the encoder it was made from, and files that describe them."""
MADE_BESIDE: Final = (RESULT_FILE, PLOT_FILE, "distilled", "begun", "checkpoint.*")
"""Files that a run leaves in the folder of an encoder, which may be the source of another run."""


def save_encoder(model: Any, source: Path, folder: Path) -> None:
    """Write a model as an ordinary encoder: its weights and configuration, all else as in its source.

    Args:
        model: of transformers, adapters merged.
        source: folder of the encoder it was made from.
        folder: to write to; made where it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns(*NOT_COPIED, *MADE_BESIDE), dirs_exist_ok=True)
    logging.disable_progress_bar()
    model.save_pretrained(folder)


def save_result(folder: Path, result: Mapping[str, Any]) -> None:
    """Write the result, its card and the plot of its curve.

    Args:
        folder: of the encoder.
        result: as `models.finetuning.running.finetune` returns it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plot(folder / PLOT_FILE, result["curve"], result["probe"]["mean_squared_error"])
    (folder / CARD_FILE).write_text(_card(result), encoding="utf-8")
    (folder / RESULT_FILE).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def save_variants(folder: Path, found: Mapping[str, Mapping[str, float]]) -> None:
    """Add the figures of variants to the result and the card of an encoder."""
    path = folder / RESULT_FILE
    result = json.loads(path.read_bytes()) | {"variants": found}
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    with (folder / CARD_FILE).open("a", encoding="utf-8") as card:
        card.write(
            "\n| variant | mean cosine to this encoder | least cosine | speed, times its own |\n|---|---|---|---|\n"
        )
        for name, one in found.items():
            card.write(f"| {name} | {one['cosine_mean']:.4f} | {one['cosine_least']:.4f} | {one['speed']:.2f} |\n")


def plot(path: Path, curve: Sequence[Mapping[str, float]], probe: float) -> None:
    """Draw the validation and stopping loss over the steps, with the frozen encoder's probe as a line."""
    lines = {
        f"{name} texts": [(point["step"], point[f"{name}_mean_squared_error"]) for point in curve]
        for name in ("validation", "stopping")
    }
    draw(path, lines, probe, "ridge probe, frozen encoder, validation texts", "mean squared error")


def draw(
    path: Path, lines: Mapping[str, Sequence[tuple[float, float]]], level: float, level_label: str, unit: str
) -> None:
    """Draw lines over the steps, each a list of (step, value) under its label, with one level to compare them with."""
    figure = library("matplotlib.figure", FINETUNE).Figure(figsize=(6, 3.6))
    axes = figure.subplots()
    for label, points in lines.items():
        axes.plot(*zip(*points, strict=True), marker="o", label=label)
    axes.axhline(level, linestyle="--", color="grey", label=level_label)
    axes.set_xlabel("steps")
    axes.set_ylabel(unit)
    axes.grid(visible=True)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})


def _card(result: Mapping[str, Any]) -> str:
    rows = [
        ("ridge probe on the frozen encoder", result["probe"]),
        ("before training: the frozen encoder under the head it began with", result["before"]),
        ("after training", result["after"]),
        ("ridge probe on the fine-tuned encoder", result["probe_after"]),
    ]
    names = list(result["after"])
    told = {"data": result["data"], "texts": result["texts"], "options": result["options"]}
    return "\n".join(
        [
            f"# {result['encoder']}, fine-tuned",
            "",
            f"Made by `wherewithal finetune` from `{result['encoder']}`. {result['steps']:,} steps in "
            f"{result['seconds']:,.0f} s ({result['ended']}); the weights of step {result['best_step']:,} are kept.",
            "",
            "Figures on the validation texts, which took no part in any decision; stopping texts chose the step.",
            "The probe is fitted to the training and the stopping texts, its strength chosen by cross-validation.",
            "",
            "| | " + " | ".join(name.replace("_", " ") for name in names) + " |",
            "|---|" + "---|" * len(names),
            *(f"| {label} | " + " | ".join(f"{found[name]:.4f}" for name in names) + " |" for label, found in rows),
            "",
            f"![curve]({PLOT_FILE})",
            "",
            "```json",
            json.dumps(told, indent=1, ensure_ascii=False),
            "```",
            "",
        ]
    )
