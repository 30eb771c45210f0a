"""What every benchmark shares: sides measured in turn, ratios of neighbours, and one form of report.

Absolute figures depend on the machine and on who else uses it; a ratio of two sides measured one after the other,
repeated, depends on neither nearly as much. So what is reported is the median of the ratios of such pairs.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

RESULTS: Final = Path(__file__).parent / "results"
ROOT: Final = Path(__file__).parents[2]
PAIRS: Final = 5
"""Fewer pairs leave the median at the mercy of one disturbance."""

SIDE_TIMEOUT_S: Final = 300.0

# What is measured of users is measured without items; those have a benchmark of their own.
os.environ.setdefault("WHEREWITHAL_ITEMS", "false")


def interleave(sides: Mapping[str, Callable[[], float]], pairs: int = PAIRS) -> dict[str, list[float]]:
    """Measure the sides in turn, A B A B, and return the figures of each in the order of the rounds."""
    figures: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(pairs):
        for name, measure in sides.items():
            figures[name].append(measure())
            say(f"round {number + 1}/{pairs} {name}: {figures[name][-1]:,.2f}")
    return figures


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios of neighbours, ours over theirs."""
    return median(mine / other for mine, other in zip(ours, theirs, strict=True))


def spread(values: Sequence[float]) -> str:
    """Return the range of some figures, as a table shows it."""
    return (
        f"{min(values):,.3g} to {max(values):,.3g}"
        if max(values) < 1000
        else f"{min(values):,.0f} to {max(values):,.0f}"
    )


def run_side(module: str, arguments: Mapping[str, Any], python: str = sys.executable) -> dict[str, Any]:
    """Run one side in a process of its own and return the JSON object that it prints last.

    Raises:
        RuntimeError: it failed; the message holds the end of what it wrote.
    """
    return ended_side(begin_side(module, arguments, python))


def begin_side(module: str, arguments: Mapping[str, Any], python: str = sys.executable) -> subprocess.Popen[str]:
    """Start one side in a process of its own, for `ended_side` to wait for."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    command = [python, "-m", module, json.dumps(arguments)]
    environment = os.environ | {"PYTHONPATH": path, "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def ended_side(side: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for a side and return the JSON object that it prints last.

    Raises:
        RuntimeError: it failed; the message holds the end of what it wrote.
    """
    try:
        written, errors = side.communicate(timeout=SIDE_TIMEOUT_S)
    finally:
        side.kill()
    if side.returncode:
        raise RuntimeError(f"{side.args} ended with {side.returncode}: {errors[-2000:]}")
    result: dict[str, Any] = json.loads(written.strip().splitlines()[-1])
    return result


def machine() -> dict[str, Any]:
    """Return what the figures were measured on, and how busy it was with other work just before."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "platform": platform.machine(),
        "load_1m": round(os.getloadavg()[0], 2),
        "broker": os.environ.get("BENCH_BROKER", "embedded"),
        "versions": {name: version(name) for name in ("faust-streaming", "aiokafka", "feast", "torch")},
    }


def report(name: str, title: str, result: Mapping[str, Any], lines: Sequence[str], plot: bool = False) -> None:
    """Write `results/<name>.json` and `results/<name>.md`, and print the latter."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    where = result.get("machine", {})
    context = (
        f"{where['cores']} cores, Python {where['python']}, load average at the start {where['load_1m']} "
        f"(what else ran is in it){', on Apache Kafka' if where.get('broker') == 'kafka' else ''}. "
        f"Made by `make bench PART={name}`."
        if where
        else f"Made by `make bench PART={name}`."
    )
    body = [f"# {title}", "", context, "", *lines]
    if plot:
        body += ["", f"![{title}]({name}.svg)"]
    text = "\n".join(body) + "\n"
    (RESULTS / f"{name}.md").write_text(text)
    print(text)


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Return a Markdown table."""
    return [
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows),
    ]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def say(text: str) -> None:
    """Tell how far a long run is, beside the report."""
    print(text, file=sys.stderr, flush=True)
