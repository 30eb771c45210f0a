"""`wherewithal backtest`: compare the model and the baselines with the real spend of customers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson
from rich.console import Console
from rich.table import Table

from streams.cli.common.arguments import file
from streams.cli.common.progress import reporting
from streams.exceptions import ConfigurationError
from streams.offline.backtest.cdnow import Order, orders
from streams.offline.backtest.orders import by_customer, halves, read_customers, read_orders
from streams.progress import Progress

if TYPE_CHECKING:
    from models.backtest.measures import Outcome

_Run = TypeVar("_Run")

SEEDS: Final = 5
DRAWS: Final = 40
"""Resamplings of each seed: 200 in all."""
_WIDTH: Final = 120
_TITLES: Final = {
    "new_customers": "New customers: fitted on some, the 39 weeks of others predicted",
    "next_period": "Next period: fitted inside the first 39 weeks of all, their next 39 predicted",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `backtest`."""
    parser.add_argument("data", choices=["cdnow"], help="whose orders")
    parser.add_argument("--transactions", type=file, metavar="FILE", help="orders (default: the sample in lifetimes)")
    parser.add_argument("--train-customers", type=file, metavar="FILE", help="one id a line (default: who is no test)")
    parser.add_argument("--test-customers", type=file, metavar="FILE", help="one id a line (default: who is no train)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Run both protocols and print the measures of every model and baseline."""
    customers = by_customer(orders() if arguments.transactions is None else read_orders(arguments.transactions))
    groups = _groups(arguments, customers)
    # Arrays, trees and regressions take seconds to import, which a wrong argument or --help should not cost.
    import numpy as np

    from models.backtest.measures import best, measure
    from models.backtest.protocols import MODEL, NEW_CUSTOMERS, NEXT_PERIOD, new_customers, next_period
    from streams.offline.backtest.panel import panel

    with reporting() as progress:
        rows = panel(customers, progress)
        runs = []
        for seed, (train, test) in enumerate(groups, 1):
            runs.append(new_customers(rows.at_end, rows.earlier, np.array(train), np.array(test)))
            progress("forecasts for new customers", seed, len(groups))
        progress("forecasts for the next period", 0, 1)
        following = next_period(rows.at_end, rows.inside)
        outcomes = {
            # Forecasts that do not depend on the split are made once. The seeds differ in the customers they resample.
            NEW_CUSTOMERS: measure(_told(runs * (SEEDS // len(runs)), progress), draws=DRAWS, seeds=range(SEEDS)),
            NEXT_PERIOD: measure(_told([following] * SEEDS, progress), draws=DRAWS, seeds=range(SEEDS)),
        }
    winner = best(outcomes.values())
    if arguments.json:
        print(orjson.dumps(_document(outcomes, winner, MODEL)).decode())
    else:
        console = Console()
        # Below this width the numbers would break. A narrower terminal wraps lines, and a file has no width.
        console.width = max(console.width, _WIDTH)
        _print(console, outcomes, winner, [len(runs[0][0]), len(following[0])])
    return 0


def _groups(
    arguments: argparse.Namespace, customers: Mapping[str, Sequence[Order]]
) -> list[tuple[list[str], list[str]]]:
    """Return the customers to train on and to test on: the pair as listed, or else halves drawn by each seed."""
    train, test = (
        None if path is None else read_customers(path, customers)
        for path in (arguments.train_customers, arguments.test_customers)
    )
    if train is None and test is None:
        return [halves(customers, seed) for seed in range(SEEDS)]
    train = sorted(set(customers) - set(test or ())) if train is None else train
    test = sorted(set(customers) - set(train)) if test is None else test
    if both := len(set(train) & set(test)):
        raise ConfigurationError(
            f"--train-customers and --test-customers: expected no customer in both, found {both}; take them out of one"
        )
    if not train or not test:
        raise ConfigurationError(
            "--train-customers and --test-customers: expected customers in each, found none left for one; "
            "shorten the other's list"
        )
    return [(train, test)]


def _document(outcomes: Mapping[str, Outcome], winner: str, model: str) -> dict[str, Any]:
    return {
        "protocol": {name: outcome.table() for name, outcome in outcomes.items()},
        "best": winner,
        "intervals": {name: outcome.intervals() for name, outcome in outcomes.items()},
        "leads": {name: outcome.leads(model) for name, outcome in outcomes.items()},
        "model": model,
        "seeds": list(range(SEEDS)),
    }


def _print(console: Console, outcomes: Mapping[str, Outcome], winner: str, customers: Sequence[int]) -> None:
    for (protocol, outcome), count in zip(outcomes.items(), customers, strict=True):
        values, intervals = outcome.table(), outcome.intervals()
        table = Table(title=f"{_TITLES[protocol]} ({count:,} customers)", title_justify="left")
        table.add_column("")
        for name in next(iter(values.values())):
            table.add_column(name.replace("_", " "), justify="right")
        for name, row in values.items():
            cells = [f"{_plain(value)}\n[dim]{_span(intervals[name][of])}[/dim]" for of, value in row.items()]
            table.add_row(name, *cells, style="bold" if name == winner else None)
        console.print(table)
    console.print(
        f"Best: {winner}, by concordance, normalised Gini, top-decile share and calibration error together. Below each "
        "number its 95 % interval, by resampling customers."
    )


def _span(interval: Sequence[float]) -> str:
    return " to ".join(map(_plain, interval))


def _plain(value: float) -> str:
    # Minus zero would be printed as such.
    return f"{round(value, 3) + 0.0:,.3f}"


def _told(runs: Sequence[_Run], progress: Progress) -> Iterator[_Run]:
    for number, run in enumerate(runs, start=1):
        yield run
        progress("customers resampled", number, len(runs))
