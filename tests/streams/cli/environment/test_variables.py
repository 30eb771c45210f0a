"""Variables that look like settings and are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.command import here, run

from streams.cli.environment.variables import unknown_variables
from streams.cli.main import COMMANDS
from streams.settings import VARIABLES

KUBERNETES = {
    "WHEREWITHAL_SERVICE_HOST",
    "WHEREWITHAL_SERVICE_PORT",
    "WHEREWITHAL_SERVICE_PORT_METRICS",
    "WHEREWITHAL_PORT",
    "WHEREWITHAL_PORT_9464_TCP",
    "WHEREWITHAL_PORT_9464_TCP_PROTO",
    "WHEREWITHAL_PORT_9464_TCP_PORT",
    "WHEREWITHAL_PORT_9464_TCP_ADDR",
    "WHEREWITHAL_BROKER_0_SERVICE_HOST",
    "WHEREWITHAL_BROKER_0_SERVICE_PORT",
    "WHEREWITHAL_BROKER_0_PORT",
    "WHEREWITHAL_BROKER_0_PORT_53_UDP_ADDR",
}


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("WHEREWITHAL_BROKERS", "WHEREWITHAL_BROKER"),
        ("WHEREWITHAL_BROKR", "WHEREWITHAL_BROKER"),
        ("wherewithal_partition", "WHEREWITHAL_PARTITIONS"),
        ("WHEREWITHAL_METRIC_PORT", "WHEREWITHAL_METRICS_PORT"),
        ("WHEREWITHAL_ONLINESTORE", "WHEREWITHAL_ONLINE_STORE"),
        ("WHEREWITHAL_XYZZY", None),
        ("WHEREWITHAL_", None),
    ],
)
def test_an_unknown_variable_is_named_with_the_nearest_setting(name: str, nearest: str | None) -> None:
    assert unknown_variables([name, "PATH", "OTHER_WHEREWITHAL_BROKR", *KUBERNETES, *VARIABLES]) == {name: nearest}


def test_what_kubernetes_makes_for_a_service_is_left_out_and_a_setting_that_looks_like_it_is_not() -> None:
    assert unknown_variables(KUBERNETES) == {}
    assert list(unknown_variables(["WHEREWITHAL_BROKER_0_PORT"])) == ["WHEREWITHAL_BROKER_0_PORT"]


@given(st.lists(st.text()))
def test_any_environment_can_be_looked_at(names: list[str]) -> None:
    for name, nearest in unknown_variables([f"WHEREWITHAL_{name}" for name in names]).items():
        assert name.upper() not in VARIABLES
        assert nearest is None or nearest in VARIABLES


@pytest.mark.parametrize("command", [*sorted(set(COMMANDS) - {"worker", "rekey", "broker", "demo"})])
def test_every_command_names_them_in_one_line_and_goes_on(command: str, tmp_path: Path) -> None:
    words = {
        "replay": ["none"],
        "produce": ["none"],
        "features": ["u"],
        "erase": ["u"],
        "lint": ["none"],
        "acls": ["u"],
        "leave": ["w"],
        "repartition": ["--partitions", 4, "--to-prefix", "new-"],
        "fit": ["none", "--output", "none"],
        "history": ["none", "--every", "1d", "--output", "none"],
        "consistency": ["none", "none"],
        "sample": ["--customers", "1", "--output", "none"],
        "train": ["--rows", Path(__file__)],
        "evaluate": ["--rows", Path(__file__)],
        "backtest": ["cdnow", "--transactions", Path(__file__)],
        "finetune": [Path(__file__), "--output", "none/none"],
    }.get(command, [])
    _, _, err = here(command, *words, folder=tmp_path, **{"WHEREWITHAL_STATE_DIRECTORY\x1b[2J": "x"})
    first = err.splitlines()[0]
    assert first.startswith(f"wherewithal {command}: WHEREWITHAL_STATE_DIRECTORY\\u001b[2J: expected the name of a")
    assert first.endswith("did you mean WHEREWITHAL_STATE_DIR?")


def test_a_worker_logs_them(refused_here: Callable[..., str]) -> None:
    code, _, err = run("worker", WHEREWITHAL_BROKR="kafka://a:1")
    assert code == 2
    logged, said = err.splitlines()
    assert '"found": "WHEREWITHAL_BROKR", "nearest": "WHEREWITHAL_BROKER"' in logged
    assert said.startswith("wherewithal worker: WHEREWITHAL_BROKER: expected kafka://host:port")
