"""The encoder under a live stream, on a GPU where there is one: tokens per second, batches, waiting against load.

A BERT of random weights: of bert-base's size on a GPU, of MiniLM's on a CPU, where the run only shows that the
benchmark works. Producers submit texts to the micro-batcher; the other side, sentence-transformers, is given a list,
which is easier, in the batch size that suits it best.

On a machine with little installed (torch, transformers, numpy; sentence-transformers and matplotlib if at hand):

    PYTHONPATH=.:tests python -m benchmarks.bench_gpu
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import itertools
import os
import platform
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from benchmarks.harness import interleave, median_ratio, report, say, spread, table
from benchmarks.material.gpu_subject import flop, matrix_rate, save_model, texts
from benchmarks.sides.live import QUEUE_TEXTS, stream

from models.encoder.bert import BertEncoder

LOADS: Final = (0.25, 0.5, 0.75, 0.9)
TARGETS: Final = {"ratio": 3.0, "share": 0.45}
OURS, OTHER, PEAK = "ours", "sentence-transformers", "peak"
BATCHES: Final = {"cuda": (32, 128, 512, 2048), "cpu": (16, 32, 64)}
LISTED: Final = {"cuda": 20_000, "cpu": 500}
STREAMED: Final = {"cuda": 100_000, "cpu": 10_000}
WORST: Final = {"cuda": 10_000, "cpu": 64}


class Comparison:
    """One encoder and the other side, on one device."""

    def __init__(self, folder: Path, device: str, seconds: float) -> None:
        # As in a worker, one core is left to the event loop.
        self.encoder = BertEncoder.load(str(folder), device, threads=max(1, (os.cpu_count() or 1) - 1))
        self.device = self.encoder.device
        self.folder, self.seconds = folder, seconds
        began = time.perf_counter()
        self.encoder.warm_up()
        self.warm_up_s = time.perf_counter() - began
        from transformers import AutoConfig

        self.config = AutoConfig.from_pretrained(folder)
        # Made beforehand, and more than can wait at once, so that no two of them share a pass.
        self.source = itertools.cycle(itertools.islice(texts(), STREAMED[self.device.type]))
        self.listed = list(itertools.islice(texts(2), LISTED[self.device.type]))
        self.lengths = [len(tokens) for tokens in self.encoder.tokenize(self.listed)]
        self.flop_per_token = flop(self.config, self.lengths) / sum(self.lengths)

    def live(self, texts_per_second: float | None = None) -> dict[str, Any]:
        """Run a live stream, at a rate or at saturation."""
        return asyncio.run(stream(self.encoder, self.source, self.seconds, texts_per_second))

    def sentence_transformers(self) -> tuple[Callable[[], float], int] | None:
        """Return the other side in tokens per second, and its best batch size; None if it is not installed."""
        if importlib.util.find_spec("sentence_transformers") is None:
            return None
        from sentence_transformers import SentenceTransformer

        # A folder without modules of its own is mean-pooled.
        model = SentenceTransformer(str(self.folder), device=str(self.device))
        if self.device.type == "cuda":
            model.half()

        def rate(size: int) -> float:
            began = time.perf_counter()
            model.encode(self.listed, batch_size=size, show_progress_bar=False)
            return sum(self.lengths) / (time.perf_counter() - began)

        rates: dict[int, float] = {}
        for size in BATCHES[self.device.type]:
            rate(size)
            rates[size] = rate(size)
            say(f"{OTHER}, batches of {size}: {rates[size]:,.0f} tokens/s")
        best = max(rates, key=rates.__getitem__)
        return lambda: rate(best), best

    def worst(self) -> dict[str, float]:
        """Return the most memory taken so far, and when more texts of full length than may wait come in a second."""
        before = _memory(self.device)
        longest = (f"{'good ' * self.encoder.max_tokens}{number}" for number in itertools.count())
        asyncio.run(stream(self.encoder, longest, 1.0, WORST[self.device.type]))
        return {"before_mib": before, "most_mib": _memory(self.device)}


def _memory(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def machine(device: torch.device) -> dict[str, Any]:
    """Return what the figures were measured on."""
    from importlib.metadata import version

    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "platform": platform.machine(),
        "load_1m": round(os.getloadavg()[0], 2),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        "versions": {name: version(name) for name in ("torch", "transformers")},
    }


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each stream")
    parser.add_argument("--pairs", type=int, default=3)
    arguments = parser.parse_args()
    kind = "cuda" if arguments.device != "cpu" and torch.cuda.is_available() else "cpu"
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder), kind)
        side = Comparison(Path(folder), arguments.device, arguments.seconds)
        where = machine(side.device)
        result = {"machine": where, "targets": TARGETS, "flop_per_token": side.flop_per_token} | measure(
            side, arguments.pairs
        )
    publish(side, result)


def measure(side: Comparison, pairs: int) -> dict[str, Any]:
    """Measure saturation in pairs, then the levels of load, then the worst input."""
    saturated: list[dict[str, Any]] = []

    def ours() -> float:
        saturated.append(side.live())
        return float(saturated[-1]["tokens_per_second"])

    ours()
    # Before the other side takes memory of its own.
    worst = side.worst()
    other = side.sentence_transformers()
    sides: dict[str, Callable[[], float]] = {OURS: ours}
    if other is not None:
        sides[OTHER] = other[0]
    sides[PEAK] = lambda: matrix_rate(side.config, side.device, side.encoder.token_budget) / 1e9
    figures = interleave(sides, pairs)
    capacity = median(run["texts_per_second"] for run in saturated[1:])
    levels = {}
    for load in LOADS:
        levels[load] = side.live(load * capacity)
        say(f"load {load:.0%}: {levels[load]['wait_ms']}")
    return {
        "figures": figures,
        "ratio": median_ratio(figures[OURS], figures[OTHER]) if other else None,
        "best_batch_of_the_other": other[1] if other else None,
        "share": median_ratio([rate * side.flop_per_token / 1e9 for rate in figures[OURS]], figures[PEAK]),
        "capacity_texts_per_second": capacity,
        "levels": levels,
        "saturated": saturated[-1],
        "warm_up_s": side.warm_up_s,
        "worst": worst,
    }


def publish(side: Comparison, result: dict[str, Any]) -> None:
    """Write the results."""
    figures, lengths = result["figures"], sorted(side.lengths)
    runs = {**{f"{load:.0%}": run for load, run in result["levels"].items()}, "saturation": result["saturated"]}
    on_gpu = side.device.type == "cuda"
    title = (
        f"Encoder on {result['machine']['device']}"
        if on_gpu
        else "Encoder under a live stream, run on a CPU: no GPU was at hand, and nothing here says anything about one"
    )
    config = side.config
    precision = "bfloat16" if on_gpu else f"float32 on {torch.get_num_threads()} thread(s)"
    lines = [
        f"A BERT of random weights ({config.num_hidden_layers} layers, {config.hidden_size} wide), "
        f"{precision}; ready after {result['warm_up_s']:.1f} s. Texts of the simulator's "
        f"phrases, {sum(lengths) / len(lengths):.1f} tokens on average (median {lengths[len(lengths) // 2]}, at most "
        f"{lengths[-1]}), none remembered, submitted live in groups of 32.",
        "",
        *table(
            ("side", "tokens/s, median", "range"),
            [(name, median(rates), spread(rates)) for name, rates in figures.items() if name != PEAK],
        ),
        "",
        f"Share of the measured rate of matrix products ({median(figures[PEAK]):,.0f} GFLOP/s in "
        f"{'bfloat16' if on_gpu else 'float32'}): {result['share']:.2f} (target on a GPU {TARGETS['share']}).",
        f"Ratio to {OTHER}, {'fp16' if on_gpu else 'fp32'}, a list in batches of {result['best_batch_of_the_other']}, "
        f"its best: {result['ratio']:.2f} (target on a GPU {TARGETS['ratio']})."
        if result["ratio"] is not None
        else f"{OTHER} is not installed here, and was left out.",
        "",
        *table(
            ("load", "texts/s", "tokens/s", "wait p50, ms", "p99", "answer p50, ms", "p99"),
            [
                (
                    load,
                    run["texts_per_second"],
                    run["tokens_per_second"],
                    *(
                        run[kind].get(share, float("nan"))
                        for kind in ("wait_ms", "answer_ms")
                        for share in ("p50", "p99")
                    ),
                )
                for load, run in runs.items()
            ],
        ),
        "",
        "A text waits from being queued until its batch begins; an answer is that of a group, from being submitted. At "
        f"saturation the queue of {QUEUE_TEXTS[side.device.type]:,} texts is always full, and the wait is its length.",
        "",
        "Batches by their number of texts (n stands for n to 2n - 1):",
        "",
        *histogram(runs),
        "",
        f"Memory {'of the device, reserved' if on_gpu else 'of the process'}: {result['worst']['before_mib']:,.0f} MiB "
        f"at most under these texts, {result['worst']['most_mib']:,.0f} MiB when all texts had "
        f"{side.encoder.max_tokens} tokens.",
    ]
    plot = importlib.util.find_spec("matplotlib") is not None
    if plot:
        draw(runs)
    report("gpu", title, result, lines, plot=plot)


def histogram(runs: dict[str, dict[str, Any]]) -> list[str]:
    """Return a table of batch sizes by load."""
    sizes = sorted({size for run in runs.values() for size in run["batch_texts"]})
    return table(
        ("load", *map(str, sizes)),
        [(load, *(run["batch_texts"].get(size, 0) for size in sizes)) for load, run in runs.items()],
    )


def draw(runs: dict[str, dict[str, Any]]) -> None:
    """Draw waiting against load."""
    from benchmarks.plots import lines as plot_lines

    points = [run for load, run in runs.items() if load != "saturation"]
    series = {
        share: [(run["tokens_per_second"], run["wait_ms"][share]) for run in points if run["wait_ms"]]
        for share in ("p50", "p99")
    }
    plot_lines("gpu", [{"title": "Waiting", "x": "tokens/s", "y": "ms", "series": series}])


if __name__ == "__main__":
    main()
