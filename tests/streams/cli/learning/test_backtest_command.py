from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from models.backtest.measures import MEASURES
from models.measures.baselines import NAMES
from streams.cli.main import main
from streams.offline.backtest.cdnow import orders


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The first 500 customers of the sample in the master format, and two lists of them."""
    folder = tmp_path_factory.mktemp("backtest")
    customers = sorted({order.customer_id for order in orders()})[:500]
    chosen = set(customers)
    with (folder / "orders.txt").open("w") as lines:
        for order in orders():
            if order.customer_id in chosen:
                date = datetime.fromtimestamp(order.timestamp / 1000, UTC)
                lines.write(f" {order.customer_id} {date:%Y%m%d} {order.units:2} {order.dollars:7.2f}\n")
    (folder / "train.txt").write_text("\n".join(customers[::2]) + "\n")
    (folder / "test.txt").write_text("\n".join(customers[1::2]) + "\n")
    return folder


def lists(files):
    return ["--train-customers", str(files / "train.txt"), "--test-customers", str(files / "test.txt")]


def test_the_document_has_every_measure_of_every_model_in_both_protocols(files, capsys):
    words = ["backtest", "cdnow", "--json", "--transactions", str(files / "orders.txt"), *lists(files)]
    assert main(words) == 0
    said = capsys.readouterr()
    document = orjson.loads(said.out)
    models = {*NAMES, "two_part", "decayed_rate"}
    assert set(document["protocol"]) == {"new_customers", "next_period"}
    for protocol, table in document["protocol"].items():
        assert set(table) == models
        assert all(set(row) == set(MEASURES) for row in table.values())
        assert table["zero"]["concordance"] == 0.5
        assert table["decayed_rate"]["concordance"] > 0.65
        low, high = document["intervals"][protocol]["decayed_rate"]["concordance"]
        assert low < table["decayed_rate"]["concordance"] < high
    assert document["best"] in models
    assert "forecasts for the next period\n" in said.err


def test_orders_of_an_unknown_shop_are_told_in_one_line(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["backtest", "elsewhere"])
    error = capsys.readouterr().err
    assert ended.value.code == 2
    assert "invalid choice" in error
    assert error.count("\n") == 1


def test_a_customer_on_both_lists_is_refused(files, capsys):
    both = ["--train-customers", str(files / "train.txt"), "--test-customers", str(files / "train.txt")]
    assert main(["backtest", "cdnow", "--transactions", str(files / "orders.txt"), *both]) == 2
    assert "expected no customer in both, found 250" in capsys.readouterr().err


def test_a_list_that_leaves_nobody_to_test_is_refused(files, tmp_path, capsys):
    everybody = tmp_path / "all.txt"
    everybody.write_text((files / "train.txt").read_text() + (files / "test.txt").read_text())
    words = ["--transactions", str(files / "orders.txt"), "--train-customers", str(everybody)]
    assert main(["backtest", "cdnow", *words]) == 2
    assert "none left" in capsys.readouterr().err
