"""What a finished run says about its models: what they are not for, whether they fit, which categories are known."""

from __future__ import annotations

from typing import Final

from streams.inference.active_capacity import PURPOSE
from streams.inference.fit import Fit
from streams.worker.flow import Flow

FEW: Final = 0.5
"""The share of events with a listed category below which a run says so."""


async def judge_all(flow: Flow, *, publish: bool) -> None:
    """Judge the scorer by everything that a drained flow has served.

    Args:
        flow: drained.
        publish: whether users are published again where the verdict changed, so that all records tell the same.
    """
    if flow.production.judge() and publish:
        for partition in flow.engine.partitions.values():
            partition.refresh()
        await flow.engine.held.settle()


def suitability(flow: Flow) -> list[str]:
    """Return what a user has to know about the models before trusting them, in lines; none where nothing is wrong."""
    scoring, tally = flow.engine.equipment.emitter.scoring, flow.tally
    lines = [] if flow.engine.equipment.emitter.estimating is None else [PURPOSE]
    if scoring.verdict.fit is Fit.FOREIGN:
        lines.append(
            f"scorer {scoring.version} is foreign to this shop: {scoring.verdict.why}; scores, expected_spend and "
            "price bands mean little until one is trained on your own events: `wherewithal fit` does (docs/tutorial.md)"
        )
    listed = tally.named - tally.unlisted
    if listed < FEW * tally.named:
        lines.append(
            f"scorer {scoring.version} lists the category of {listed:,} of {tally.named:,} events: tags and interests "
            "leave the others out; `wherewithal fit` learns the shop's own (docs/tutorial.md)"
        )
    return lines
