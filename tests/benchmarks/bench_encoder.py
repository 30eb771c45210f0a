"""Texts per second of the encoder on the CPU, against sentence-transformers and against what was tried and left.

The texts are the distinct cleaned reviews and queries of the simulator, in one seeded order. Every side gives the
embeddings of all of them; its agreement is the smallest cosine with those of sentence-transformers. What is claimed
is measured on all cores and on one thread; what was tried beside it on one, which a busy machine disturbs least.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from importlib.metadata import version
from statistics import median
from typing import Any, Final

# As a worker has it, and for all sides: read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from benchmarks.harness import PAIRS, interleave, machine, median_ratio, report, say, spread, table
from benchmarks.material.encoder_subject import PEAK_ROWS, Embeddings, Subject
from benchmarks.sides.encoders import (
    Embed,
    WrittenOut,
    compiled,
    has_onnx,
    in_batches,
    load_model,
    onnx_runtime,
    padded,
)

from models.encoder.passes.dense import PlainDense, dense_of
from models.encoder.passes.packed import PackedForward

BASELINE: Final = "sentence-transformers"
OURS: Final = "ours"
FORWARD: Final = "packed"
PEAK: Final = "peak"
TARGETS: Final = {"ratio": 1.5, "cosine": 0.9999, "share": 0.6}


def variants(subject: Subject) -> dict[str, Embed]:
    """Return what was tried beside `packed`, each from tokens to vectors."""
    model = subject.model
    packed = PackedForward(model).embed
    sides = {
        "padded (transformers)": in_batches(padded(model).embed, packed=False),
        "padded, torch.compile": in_batches(compiled(load_model()).embed, packed=False),
        "packed, products of MKL": in_batches(PackedForward(model, PlainDense).embed, packed=True),
        "packed, attention written out": in_batches(WrittenOut(model).embed, packed=True),
        "packed, bfloat16 products": in_batches(PackedForward(model, dense_of("bfloat16")).embed, packed=True),
        "packed, int8 products": in_batches(PackedForward(model, dense_of("int8")).embed, packed=True),
    }
    for budget in (256, 512, 2048, 4096):
        sides[f"packed, {budget:,} tokens a batch"] = in_batches(packed, packed=True, token_budget=budget)
    if has_onnx():
        sides["padded, ONNX Runtime"] = in_batches(onnx_runtime(load_model(), torch.get_num_threads()), packed=False)
    else:
        say("padded, ONNX Runtime: left out, for onnx, onnxruntime and onnxscript are not all installed")
    return sides


def agreement(mine: Embeddings, reference: Embeddings) -> float:
    """Return the smallest cosine between embeddings of the same text."""
    left, right = mine.astype(np.float64), reference.astype(np.float64)
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return float(((left * right).sum(axis=1) / norms).min())


def timed(side: Callable[[], Embeddings]) -> Callable[[], float]:
    """Return a measurement of a side, in texts per second."""

    def measure() -> float:
        began = time.perf_counter()
        embeddings = side()
        return len(embeddings) / (time.perf_counter() - began)

    return measure


class Comparison:
    """The claim, and what was tried, on the same texts."""

    def __init__(self, subject: Subject, pairs: int) -> None:
        self.subject = subject
        self.pairs = pairs
        forward = in_batches(PackedForward(subject.model).embed, packed=True)
        self.sides: dict[str, Callable[[], Embeddings]] = {
            BASELINE: subject.sentence_transformers(),
            OURS: subject.ours,
            FORWARD: lambda: forward(subject.tokens),
        }
        self.reference = self.sides[BASELINE]()

    def claim(self, threads: int) -> dict[str, Any]:
        """Compare with sentence-transformers, and with the peak of the matrix product, on so many threads."""
        torch.set_num_threads(threads)
        # The first run of a side pays for its memory and kernels, and is not measured.
        cosines = {name: agreement(side(), self.reference) for name, side in self.sides.items()}
        figures = interleave(
            {name: timed(side) for name, side in self.sides.items()} | {PEAK: self.subject.peak}, self.pairs
        )
        peak = figures.pop(PEAK)
        per_text = self.subject.flop / len(self.subject.texts) / 1e9
        return {
            name: {
                "texts_per_second": rates,
                "ratio": median_ratio(rates, figures[BASELINE]),
                "gflops": [rate * per_text for rate in rates],
                "peak_gflops": peak,
                "share_of_peak": median_ratio([rate * per_text for rate in rates], peak),
                "cosine": cosines[name],
            }
            for name, rates in figures.items()
        }

    def tried(self) -> dict[str, Any]:
        """Compare each variant with `packed`, on one thread."""
        torch.set_num_threads(1)
        found: dict[str, Any] = {}
        for name, embed in variants(self.subject).items():
            cosine = agreement(embed(self.subject.tokens), self.reference)
            pair = {
                FORWARD: timed(self.sides[FORWARD]),
                name: timed(lambda embed=embed: embed(self.subject.tokens)),
            }
            rates = interleave(pair, self.pairs)
            ratio = median_ratio(rates[name], rates[FORWARD])
            found[name] = {"texts_per_second": rates, "ratio": ratio, "cosine": cosine}
        return found


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--texts", type=int, default=512)
    parser.add_argument("--only-claim", action="store_true", help="leave out the variants")
    arguments = parser.parse_args()
    where = machine() | {"instructions": torch.backends.cpu.get_cpu_capability()}
    where["versions"] |= {name: version(name) for name in ("sentence-transformers", "transformers")}
    subject = Subject(arguments.texts)
    comparison = Comparison(subject, arguments.pairs)
    claims = {threads: comparison.claim(threads) for threads in sorted({os.cpu_count() or 1, 1}, reverse=True)}
    tried = {} if arguments.only_claim else comparison.tried()
    publish(where, subject, claims, tried)


def publish(where: dict[str, Any], subject: Subject, claims: dict[int, dict[str, Any]], tried: dict[str, Any]) -> None:
    """Write the results."""
    lengths = [len(tokens) for tokens in subject.tokens]
    mean = sum(lengths) / len(lengths)
    result = {
        "machine": where,
        "texts": len(lengths),
        "tokens": {"mean": mean, "median": median(lengths), "most": max(lengths)},
        "gflop_per_text": subject.flop / len(lengths) / 1e9,
        "by_threads": claims,
        "variants": tried,
        "targets": TARGETS,
    }
    lines = [
        f"{len(lengths):,} distinct cleaned texts of the simulator, {mean:.1f} tokens each on average (median "
        f"{median(lengths):.0f}, at most {max(lengths)}), in batches of at most 1,024 tokens; {where['instructions']}. "
        f"`{OURS}` is the micro-batcher, from text to vector; `{FORWARD}` is its forward pass alone, from tokens.",
        "",
        *table(
            (
                "threads",
                "side",
                "texts/s, median",
                "range",
                f"ratio to {BASELINE}",
                "share of the peak",
                "least cosine",
            ),
            [
                (
                    threads,
                    name,
                    median(side["texts_per_second"]),
                    spread(side["texts_per_second"]),
                    side["ratio"],
                    side["share_of_peak"],
                    f"{side['cosine']:.6f}",
                )
                for threads, sides in claims.items()
                for name, side in sides.items()
            ],
        ),
        "",
        f"Targets: ratio {TARGETS['ratio']}, share {TARGETS['share']}, cosine {TARGETS['cosine']}. The peak is that of "
        f"float32 products of the model's own shapes at {PEAK_ROWS:,} rows, by the faster library: "
        + "; ".join(
            f"{median(sides[FORWARD]['peak_gflops']):,.0f} GFLOP/s on {threads} thread(s)"
            for threads, sides in claims.items()
        )
        + f". A text takes {result['gflop_per_text']:.3f} GFLOP.",
    ]
    if tried:
        rows = [
            (name, side["ratio"], spread(side["texts_per_second"][name]), f"{side['cosine']:.6f}")
            for name, side in tried.items()
        ]
        lines += ["", *table(("variant, 1 thread", f"ratio to {FORWARD}", "texts/s", "least cosine"), rows)]
    report("encoder", "Encoder", result, lines)


if __name__ == "__main__":
    main()
