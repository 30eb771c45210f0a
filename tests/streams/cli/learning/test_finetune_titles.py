"""`wherewithal finetune --texts titles`: from files of events to an encoder with a projection of its own."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support.baskets_of_words import purchases_of
from support.small_bert import save_small_bert

from models.encoder.bert import BertEncoder
from models.encoder.own_projection import own_projection
from models.profile import Projection
from streams.cli.main import main
from streams.inference.loading import load_inference
from streams.settings import load_settings
from streams.telemetry.metrics import Metrics


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return save_small_bert(tmp_path_factory.mktemp("small") / "bert")


def click(number, line, **more):
    value = {"event_id": f"e{number}", "user_id": line.user_id, "item_id": "i", "action": "purchase"}
    value |= {"title": line.title, "order_id": line.order_id, "timestamp": line.timestamp} | more
    return json.dumps({"topic": "clicks", "value": value}) + "\n"


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    path = tmp_path_factory.mktemp("events") / "events.ndjson"
    lines = [click(number, line) for number, line in enumerate(purchases_of(200))]
    first = purchases_of(1)[0]
    lines.append(click("view", first, action="view", title="never bought"))
    lines.append(click("refused", first, timestamp="yesterday"))
    lines.append(json.dumps({"topic": "erasures", "value": {"user_id": "u7", "timestamp": 1_700_000_000_000}}) + "\n")
    path.write_text("".join(lines))
    return path


def command(events, small, output, *more):
    return ["finetune", str(events), "--texts", "titles", "--encoder", str(small), "--output", str(output), *more]


def test_it_writes_an_encoder_and_says_whether_it_helps(events, small, tmp_path, capsys):
    output = tmp_path / "out"
    words = ["--pairs", "baskets", "--steps", "4", "--batch-size", "8", "--evaluate-every", "2"]
    assert main(command(events, small, output, *words)) == 0
    said = capsys.readouterr().out
    assert "step      4" in said
    assert "purchases of 200 shoppers" in said
    assert "titles ranked above what is bought next" in said
    assert "95 % interval" in said
    assert "invalid" in said
    result = json.loads((output / "finetuning.json").read_text())
    assert result["pairs"] == "baskets"
    assert sum(result["shoppers"].values()) == 199
    assert result["titles"] == 24


def test_an_encoder_without_an_artefact_is_served_with_the_projection_of_its_folder(events, small, tmp_path):
    output = tmp_path / "out"
    assert main(command(events, small, output, "--projection-only")) == 0
    settings = load_settings(encoder=str(output))
    inference = load_inference(settings, Metrics())
    own = own_projection(output)
    assert own is not None
    assert not inference.fitted
    np.testing.assert_array_equal(inference.projection.matrix, own.matrix)
    plain = load_inference(load_settings(encoder=str(small)), Metrics())
    dimension = BertEncoder.load(str(small), "cpu").dimension
    np.testing.assert_array_equal(plain.projection.matrix, Projection.orthogonal(dimension).matrix)
    assert plain.encoder != inference.encoder


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--texts", "titles"], "files of events"),
        (["--texts", "titles", "--target", "label", "FILE"], "--target"),
        (["--texts", "titles", "--variants", "int8", "FILE"], "--variants"),
        (["--texts", "titles", "--fgm", "1", "FILE"], "--fgm"),
        (["--pairs", "baskets", "FILE"], "--texts titles"),
        (["--projection-only", "FILE"], "--texts titles"),
        (["FILE", "FILE"], "one file"),
        (["/no/such"], "expected a file"),
        (["--texts", "titles", "/no/such"], "/no/such"),
        (["--texts", "titles", "--pairs", "friends", "FILE"], "--pairs"),
    ],
)
def test_what_does_not_fit_together_is_one_line(events, tmp_path, capsys, wrong, said):
    words = [str(events) if word == "FILE" else word for word in wrong]
    try:
        code = main(["finetune", "--output", str(tmp_path / "out"), *words])
    except SystemExit as end:
        code = end.code
    assert code in (1, 2)
    [line] = capsys.readouterr().err.splitlines()
    assert said in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"title": None}, "with a title"),
        ({"title": "  \u200b "}, "with a title"),
        ({"user_id": "one"}, "more shoppers"),
        ({"title": "tea"}, "bought together"),
    ],
)
def test_purchases_that_teach_nothing_are_one_line(small, tmp_path, capsys, change, said):
    path = tmp_path / "events.ndjson"
    path.write_text("".join(click(number, line, **change) for number, line in enumerate(purchases_of(200))))
    assert main(command(path, small, tmp_path / "out", "--projection-only")) != 0
    lines = capsys.readouterr().err.splitlines()
    assert said in lines[-1]
    assert not any("Traceback" in line for line in lines)
    assert not (tmp_path / "out").exists()


def test_orders_that_are_not_named_leave_baskets_without_pairs(small, tmp_path, capsys):
    path = tmp_path / "events.ndjson"
    path.write_text("".join(click(number, line, order_id=None) for number, line in enumerate(purchases_of(200))))
    assert main(command(path, small, tmp_path / "out", "--pairs", "baskets", "--projection-only")) != 0
    assert "bought together" in capsys.readouterr().err
