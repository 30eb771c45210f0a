"""`wherewithal finetune`: arguments, files, and a run that is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from hashlib import sha256

import numpy as np
import pytest
from support.paths import ROOT
from support.patience import PATIENCE_S
from support.small_bert import labelled, save_small_bert

from models.exceptions import MissingLibraryError
from models.finetuning.augmenting import SYNONYMS, edit
from models.finetuning.exceptions import FinetuningError
from models.finetuning.files import read
from models.finetuning.reviews import reviews
from models.finetuning.texts import Kind, Row, prepare, split
from models.libraries import FINETUNE, library
from streams.cli.main import main

KILLS = 3
"""How often a run is started that is to be killed before it ends by itself."""


@pytest.fixture
def small(tmp_path):
    return save_small_bert(tmp_path / "bert")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "texts.ndjson"
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in labelled(400)))
    return path


def killed_after_a_checkpoint(command, folder):
    """Start a run, and kill it once it has written a checkpoint, or has ended."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        deadline = time.monotonic() + PATIENCE_S
        while process.poll() is None and not (folder / "checkpoint.pt").exists():
            assert time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode in (0, -signal.SIGKILL)


def test_a_run_killed_midway_goes_on_and_ends_with_the_weights_of_an_undisturbed_one(small, file, tmp_path, capsys):
    words = ["finetune", str(file), "--encoder", str(small), "--steps", "200", "--batch-size", "8"]
    words += ["--evaluate-every", "25", "--patience", "99"]
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    command = [sys.executable, "-m", "streams.cli.main", *words, "--output", str(broken)]
    for _ in range(KILLS):
        killed_after_a_checkpoint(command, broken)
        if not (broken / "finetuning.json").exists():
            break
        # It was quicker than this process could look.
        shutil.rmtree(broken)
    assert (broken / "checkpoint.pt").exists()
    assert main([*words, "--output", str(broken), "--resume"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("step")
    assert not first.startswith("step      0")
    assert main([*words, "--output", str(whole)]) == 0
    assert (broken / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert f"WHEREWITHAL_ENCODER={whole}" in capsys.readouterr().out


def test_tensorboard_has_the_curve_and_variants_are_on_the_card(small, file, tmp_path, capsys):
    output, logs = tmp_path / "out", tmp_path / "logs"
    words = ["finetune", str(file), "--encoder", str(small), "--steps", "4", "--evaluate-every", "2"]
    assert main([*words, "--output", str(output), "--log-dir", str(logs), "--variants", "int8"]) == 0
    assert list(logs.glob("events.out.*"))
    assert "int8: cosine to the original" in capsys.readouterr().out
    assert set(json.loads((output / "finetuning.json").read_text())["variants"]) == {"int8"}
    assert "| int8 |" in (output / "README.md").read_text()


@pytest.mark.parametrize(
    "wrong",
    [
        ["--rank", "0"],
        ["--augment", "2"],
        ["--variants", "int4"],
        ["--target", "target"],
        ["--minutes", "-1"],
        ["--full", "--rank", "x"],
    ],
)
def test_arguments_that_cannot_be_used_are_one_line_and_exit_2(tmp_path, capsys, wrong):
    try:
        code = main(["finetune", "--output", str(tmp_path / "out"), *wrong])
    except SystemExit as end:
        code = end.code
    assert code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("secret, not JSON", "a JSON object"),
        ('["secret"]', "a JSON object"),
        ('{"text": "secret"}', "under `label` or `target`"),
        ('{"label": 1}', "text under `text`"),
        ('{"text": "secret", "label": 2}', "0 or 1"),
        ('{"text": "secret", "label": true}', "a finite number"),
        ('{"text": "secret", "target": 1e999}', "a finite number"),
        ('{"text": "secret", "label": 1, "user_id": 7}', "under `user_id`"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_by_its_number_and_not_quoted(tmp_path, line, said):
    path = tmp_path / "texts.ndjson"
    path.write_text(line + "\n")
    with pytest.raises(FinetuningError, match="row 1") as caught:
        read(path, None)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_ndjson_and_parquet_give_the_same_texts(tmp_path):
    import pyarrow
    from pyarrow import parquet

    rows = [{"text": f"text {number}", "target": number / 7, "user_id": f"u{number % 3}"} for number in range(20)]
    lines = tmp_path / "texts.ndjson"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "texts.parquet")
    one, other = read(lines, None), read(tmp_path / "texts.parquet", None)
    assert one.digest() == other.digest()
    assert one.kind is Kind.TARGET
    assert one.values.tolist() == [number / 7 for number in range(20)]


def test_a_text_counts_once_and_one_under_both_labels_not_at_all():
    rows = [Row("Good  value!", 1.0), Row("good value", 1.0), Row("so so", 0.0), Row("So so.", 1.0), Row("?!", 0.0)]
    texts = prepare(rows, Kind.LABEL)
    assert texts.texts == ("Good value!",)
    assert texts.values.tolist() == [1.0]


def test_several_numbers_of_one_text_of_one_writer_become_their_mean():
    rows = [Row("fine", 1.0, "a"), Row("fine", 3.0, "a"), Row("fine", 9.0, "b")]
    assert prepare(rows, Kind.TARGET).values.tolist() == [2.0, 9.0]


def test_no_part_of_the_split_shares_a_writer_or_a_text_with_another():
    rows = [Row(f"text {number % 700}", float(number % 2), f"u{number % 211}") for number in range(2000)]
    parts = split(prepare(rows, Kind.TARGET), 3)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not set(parts[one].texts) & set(parts[other].texts)
        assert not set(parts[one].groups) & set(parts[other].groups)
    assert len(parts.train) > len(parts.validation) > len(parts.stopping)


def test_too_few_texts_are_refused():
    with pytest.raises(FinetuningError, match="give more texts"):
        split(prepare([Row("a", 1.0), Row("b", 0.0)], Kind.LABEL), 0)


def test_the_reviews_are_real_and_none_of_those_that_are_held_out():
    rows = list(reviews())
    assert {sha256(row.text.encode()).hexdigest()[0] for row in rows} == set("01234567")
    texts = prepare(rows, Kind.LABEL)
    assert 8000 < len(texts) < len(rows)
    assert 0.4 < texts.values.mean() < 0.6


def test_edits_keep_a_text_readable_and_depend_on_the_seed_alone():
    text = "服务员非常热情, 价格便宜; very good, will buy again"
    edits = [edit(text, np.random.default_rng(seed)) for seed in range(40)]
    assert edits == [edit(text, np.random.default_rng(seed)) for seed in range(40)]
    assert len(set(edits)) > 30
    assert all(0.4 * len(text) < len(edited) < 2.5 * len(text) for edited in edits)
    assert any("really" in edited for edited in edits)
    assert any("十分" in edited for edited in edits)
    assert edit("x", np.random.default_rng(1)) == "x"


def test_no_word_is_a_synonym_of_two_groups():
    words = [word for group in SYNONYMS for word in group]
    assert len(words) == len(set(words))


def test_a_missing_library_is_named_with_the_extra_that_brings_it():
    with pytest.raises(MissingLibraryError, match=r"wherewithal\[finetune\]"):
        library("surely_not_installed.part", FINETUNE)
