"""Rows per second into the online store: our writers against Feast's `push` and `online_write_batch`.

A row is a user's three views. All sides write the same rows to a store of their own; afterwards plain Feast reads
every store back, and what it serves must be equal.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

os.environ["FEAST_USAGE"] = "False"

import redis
from benchmarks.harness import PAIRS, interleave, machine, median_ratio, report, spread, table
from benchmarks.material.online_rows import frames, messages, rows
from benchmarks.plots import bars
from feast import FeatureStore, PushSource
from feast.data_source import PushMode
from support.plain_feast import read_users
from support.servers.ports import reserve_port

from features.online.opening import open_online_store
from features.online.rows import OnlineRow
from features.online.user_views import VIEWS
from features.repository import apply, entity, feature_views

BATCH: Final = 256
BATCHES: Final = 6
TARGET: Final = 2.0
START_S: Final = 10.0


class Store:
    """An online store of one side, with Feast's objects applied to it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self.feast: FeatureStore = apply(folder, url)

    def with_push_sources(self) -> Store:
        """Give every view a push source, as `push` asks for."""
        views = feature_views()
        for view in views:
            view.stream_source = PushSource(name=f"{view.name}_push", batch_source=view.batch_source)
        self.feast.apply([entity(), *views])
        return self


class Sides:
    """The three ways to write, over stores of their own."""

    def __init__(self, open_store: Callable[[str], Store], batches: int) -> None:
        self._ours, self._push, self._batch = (open_store(name) for name in ("ours", "push", "batch"))
        self._push.with_push_sources()
        self._count = batches
        self._version = 0

    def all(self) -> dict[str, Callable[[], float]]:
        """Return the measurements, rows per second; the first one of a round moves on to new values."""
        return {"ours": self.ours, "push": self.push, "online_write_batch": self.write_batch}

    def _batches(self) -> list[list[OnlineRow]]:
        made = rows(BATCH * self._count, self._version)
        return [made[start : start + BATCH] for start in range(0, len(made), BATCH)]

    def ours(self) -> float:
        """Write through our own writer."""
        self._version += 1
        batches = self._batches()
        with closing(open_online_store(self._ours.url)) as store:
            began = time.perf_counter()
            for batch in batches:
                store.write(batch)
            return BATCH * self._count / (time.perf_counter() - began)

    def push(self) -> float:
        """Write through `FeatureStore.push`."""
        prepared = [frames(batch) for batch in self._batches()]
        feast = self._push.feast
        began = time.perf_counter()
        for made in prepared:
            for view, frame in zip(VIEWS, made, strict=True):
                feast.push(f"{view.name}_push", frame, to=PushMode.ONLINE)
        return BATCH * self._count / (time.perf_counter() - began)

    def write_batch(self) -> float:
        """Write through the provider's `online_write_batch`, with the messages it takes built straight from rows."""
        batches = self._batches()
        feast = self._batch.feast
        views = [feast.get_feature_view(view.name) for view in VIEWS]
        began = time.perf_counter()
        for batch in batches:
            for view, data in zip(views, messages(batch), strict=True):
                feast._get_provider().online_write_batch(feast.config, view, data, None)
        return BATCH * self._count / (time.perf_counter() - began)

    def check_equal(self) -> int:
        """Read every store through plain Feast and return how many users all of them serve alike.

        Raises:
            SystemExit: two stores serve different values.
        """
        users = [f"shopper-{number:06d}" for number in range(BATCH * self._count)]
        first, *others = (read_users(store.feast, users) for store in (self._ours, self._push, self._batch))
        for other in others:
            for mine, theirs in zip(first, other, strict=True):
                if any(mine[name] != theirs[name] for name in mine if name != "profile_vector") or list(
                    mine["profile_vector"]
                ) != list(theirs["profile_vector"]):
                    raise SystemExit("expected every store to serve the same values through Feast, found others")
        return len(users)


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Run a redis-server that keeps nothing, and yield its address without a database."""
    port = reserve_port()
    binary = shutil.which("redis-server")
    if binary is None:
        raise SystemExit("expected redis-server on the PATH, found none: install it to measure the Redis store")
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen([binary, *options], cwd=folder, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_S
        while True:
            try:
                redis.Redis(port=port).ping()
                break
            except redis.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(START_S)


def main() -> None:
    """Measure both stores and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--batches", type=int, default=BATCHES)
    arguments = parser.parse_args()
    where = machine()
    figures: dict[str, dict[str, list[float]]] = {}
    equal = {}
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as server:
        root = Path(folder)
        databases = {"ours": 0, "push": 1, "batch": 2}
        opening: dict[str, Callable[[str], Store]] = {
            "sqlite": lambda name: Store(root / f"sqlite-{name}", f"sqlite:///{root / name}.db"),
            "redis": lambda name: Store(root / f"redis-{name}", f"{server}/{databases[name]}"),
        }
        for kind, open_store in opening.items():
            sides = Sides(open_store, arguments.batches)
            figures[kind] = interleave(sides.all(), arguments.pairs)
            equal[kind] = sides.check_equal()
    publish(where, arguments.batches, figures, equal)


def publish(
    where: dict[str, Any], batches: int, figures: dict[str, dict[str, list[float]]], equal: dict[str, int]
) -> None:
    """Write the results."""
    ratios = {
        kind: {name: median_ratio(of["ours"], values) for name, values in of.items() if name != "ours"}
        for kind, of in figures.items()
    }
    result = {"machine": where, "rows_per_second": figures, "ratios": ratios, "equal_users": equal, "target": TARGET}
    bars(
        "online",
        f"Rows per second, batches of {BATCH} (median)",
        [(f"{kind}, {name}", median(values)) for kind, of in figures.items() for name, values in of.items()],
    )
    lines = [
        f"{batches} batches of {BATCH} users a round, all three views; every user read back through plain Feast was "
        "served alike by all three sides. Making Feast's data frames is not timed.",
        "",
        *table(
            ("store", "side", "rows/s", "range"),
            [
                (kind, name, median(values), spread(values))
                for kind, of in figures.items()
                for name, values in of.items()
            ],
        ),
        "",
        *table(
            ("store", "ours / push", "ours / online_write_batch", "target, over push"),
            [(kind, of["push"], of["online_write_batch"], TARGET) for kind, of in ratios.items()],
        ),
    ]
    report("online", "Online store", result, lines, plot=True)


if __name__ == "__main__":
    main()
