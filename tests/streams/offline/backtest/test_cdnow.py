"""The orders of the classic backtest."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import Any

import pytest

from features.tiles import DAY
from streams.exceptions import ConfigurationError
from streams.offline.backtest import cdnow
from streams.offline.backtest.cdnow import PERIOD_END, Order

FIRST_DAY = 852_076_800_000
"""1997-01-01 in epoch milliseconds, UTC."""


@pytest.fixture(scope="module")
def orders() -> list[Order]:
    return cdnow.orders()


def test_every_order_of_the_sample_is_read(orders: list[Order]) -> None:
    assert len(orders) == 6_919
    assert len({order.customer_id for order in orders}) == 2_357
    assert round(sum(order.dollars for order in orders), 2) == 244_091.94
    assert sum(order.dollars == 0 for order in orders) == 8
    assert min(order.units for order in orders) == 1


def test_orders_come_in_order_of_time_and_within_the_shops_day(orders: list[Order]) -> None:
    moments = [order.timestamp for order in orders]
    assert moments == sorted(moments)
    assert moments[0] // DAY == FIRST_DAY // DAY
    assert PERIOD_END - DAY < moments[-1] < PERIOD_END
    assert all(cdnow.OPENS_MS <= moment % DAY < cdnow.CLOSES_MS for moment in moments)


def test_orders_are_the_same_in_another_process_which_never_runs_the_package(orders: list[Order]) -> None:
    program = (
        "import sys, hashlib\n"
        "from streams.offline.backtest.cdnow import orders\n"
        "print(hashlib.sha256(repr(orders()).encode()).hexdigest(), 'lifetimes' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env={
        "PYTHONPATH": ":".join(path for path in sys.path if path), "PYTHONHASHSEED": "7",
    })  # fmt: skip
    assert found.stdout.split() == [hashlib.sha256(repr(orders).encode()).hexdigest(), "False"]


def test_a_missing_package_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lifetimes", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'wherewithal\[train\]'"):
        cdnow.orders()


@pytest.mark.parametrize("row", ["00004 0001 19970101 2", "00004 0001 19971301 2 29.33", "a b 19970101 x 1"])
def test_a_file_that_is_not_the_expected_one_is_refused_by_line(
    row: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sample.txt"
    path.write_text(f"00004 0001 19970101 2 29.33\n{row}\n", encoding="ascii")
    monkeypatch.setattr(cdnow, "_sample_path", lambda: path)
    with pytest.raises(ConfigurationError, match="line 2"):
        cdnow.orders()
