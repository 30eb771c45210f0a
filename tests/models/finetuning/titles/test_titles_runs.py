"""Runs over titles: they help on unseen shoppers, go on after a kill, and leave an ordinary encoder with its own P."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.baskets_of_words import purchases_of
from support.small_bert import save_small_bert

from models.encoder.bert import BertEncoder
from models.encoder.own_projection import PROJECTION_FILE, own_projection
from models.exceptions import EncoderLoadError
from models.finetuning.adapting import Adapted
from models.finetuning.exceptions import FinetuningError
from models.finetuning.options import Options
from models.finetuning.running import CHECKPOINT_FILE
from models.finetuning.titles.adapting import adapt_to_titles
from models.finetuning.titles.aims import Aims
from models.finetuning.titles.card import verdict
from models.finetuning.titles.contrast import LOSS, Start, Together
from models.finetuning.titles.purchases import Pairs, gather

QUICK = {"batch_size": 16, "learning_rate": 0.02, "evaluate_every": 20, "precision": "float32"}


class Interrupted(Exception):
    pass


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return save_small_bert(tmp_path_factory.mktemp("small") / "bert")


@pytest.fixture(scope="module")
def bought():
    return gather(purchases_of(200))


@pytest.fixture(scope="module")
def done(small, bought, tmp_path_factory):
    folder = tmp_path_factory.mktemp("output") / "adapted"
    how = Options(steps=60, **QUICK)
    return folder, adapt_to_titles(str(small), bought, folder, how, pairs=Pairs.BASKETS, data="made up")


def test_it_helps_shoppers_who_were_never_seen(done):
    _, result = done
    above = result["ranked_above"]
    assert above["adapted_fitted"] < above["frozen_random"]
    assert result["gain"]["interval"][0] > 0
    assert verdict(result).startswith("It helps")


def test_its_folder_is_an_ordinary_encoder_with_a_projection_of_its_own(small, bought, done):
    folder, result = done
    encoder, original = BertEncoder.load(str(folder), "cpu"), BertEncoder.load(str(small), "cpu")
    assert encoder.weights_digest != original.weights_digest
    assert original.projection is None
    assert encoder.projection is not None
    assert encoder.projection.dimension == encoder.dimension
    assert encoder.tokenize(bought.titles) == original.tokenize(bought.titles)
    names = {path.name for path in folder.iterdir()}
    assert {"finetuning.json", "curve.png", "README.md", "model.safetensors", PROJECTION_FILE} <= names
    assert not {"begun", CHECKPOINT_FILE} & names
    assert json.loads((folder / "finetuning.json").read_text()) == json.loads(json.dumps(result))
    assert "It helps" in (folder / "README.md").read_text()


def test_another_projection_is_another_encoder(done, tmp_path):
    import shutil

    folder, _ = done
    copied = tmp_path / "copied"
    shutil.copytree(folder, copied)
    digest = BertEncoder.load(str(copied), "cpu").weights_digest
    assert digest == BertEncoder.load(str(folder), "cpu").weights_digest
    (copied / PROJECTION_FILE).unlink()
    assert BertEncoder.load(str(copied), "cpu").weights_digest != digest


def test_a_damaged_projection_is_said_so(tmp_path):
    (tmp_path / PROJECTION_FILE).write_bytes(b"nothing")
    with pytest.raises(EncoderLoadError, match="copy the folder anew"):
        own_projection(tmp_path)


def test_the_projection_alone_leaves_every_embedding_as_it_was(small, bought, tmp_path):
    result = adapt_to_titles(
        str(small), bought, tmp_path / "out", Options(), pairs=Pairs.SHOPPERS, data="", frozen_weights=True
    )
    encoder, original = BertEncoder.load(str(tmp_path / "out"), "cpu"), BertEncoder.load(str(small), "cpu")
    tokens = encoder.tokenize(bought.titles)
    np.testing.assert_array_equal(encoder.embed(tokens), original.embed(tokens))
    assert encoder.projection is not None
    assert "steps" not in result
    assert result["ranked_above"]["adapted_fitted"] == result["ranked_above"]["frozen_fitted"]
    assert "the projection alone" in (tmp_path / "out" / "README.md").read_text()


def test_an_interrupted_run_ends_with_the_weights_and_projection_of_an_undisturbed_one(small, bought, tmp_path):
    def interrupt(point):
        if point["step"] == 6:
            raise Interrupted

    def run(name, **more):
        how = Options(**QUICK | {"steps": 9, "evaluate_every": 2, "patience": 99})
        return adapt_to_titles(str(small), bought, tmp_path / name, how, pairs=Pairs.SHOPPERS, data="", **more)

    run("whole")
    with pytest.raises(Interrupted):
        run("broken", watch=interrupt)
    with pytest.raises(FinetuningError, match="resume it"):
        run("broken")
    run("broken", resume=True)
    for name in ("model.safetensors", PROJECTION_FILE):
        assert (tmp_path / "broken" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_checkpoint_of_other_purchases_is_refused(small, bought, tmp_path):
    def interrupt(point):
        if point["step"] == 4:
            raise Interrupted

    how = Options(**QUICK | {"steps": 6, "evaluate_every": 2})
    with pytest.raises(Interrupted):
        adapt_to_titles(str(small), bought, tmp_path / "out", how, pairs=Pairs.SHOPPERS, data="", watch=interrupt)
    other = gather(purchases_of(200, seed=5))
    with pytest.raises(FinetuningError, match="another"):
        adapt_to_titles(str(small), other, tmp_path / "out", how, pairs=Pairs.SHOPPERS, data="", resume=True)


@pytest.fixture(scope="module")
def model(small):
    return Adapted.load(small, torch.device("cpu"))


@given(
    lengths=st.lists(st.integers(3, 9), min_size=3, max_size=40),
    size=st.integers(2, 50),
    seed=st.integers(0, 9),
    step=st.integers(0, 99),
)
@settings(max_examples=50, deadline=None)
def test_a_batch_holds_distinct_titles_that_were_bought_and_depends_on_seed_and_step(model, lengths, size, seed, step):
    frequencies = np.array([index % 4 for index in range(len(lengths))])
    task = Together(
        model,
        [[2] * length for length in lengths],
        Aims(np.zeros((len(lengths), len(lengths)), dtype=np.float32), np.zeros((len(lengths), 2)), frequencies),
        start=Start(np.zeros(16), 1.0, 0.0),
        measure=lambda embeddings: {LOSS: 0.0},
        options=Options(batch_size=size, seed=seed),
    )
    drawn = task.chosen(step)
    assert len(set(drawn.tolist())) == len(drawn) == min(size, np.count_nonzero(frequencies))
    assert (frequencies[drawn] > 0).all()
    assert (np.diff([lengths[index] for index in drawn]) >= 0).all()
    np.testing.assert_array_equal(drawn, task.chosen(step))


def test_a_batch_without_a_pair_is_refused(small, bought, tmp_path):
    with pytest.raises(FinetuningError, match="no pair"):
        adapt_to_titles(
            str(small), bought, tmp_path / "out", Options(batch_size=1, steps=1), pairs=Pairs.SHOPPERS, data=""
        )
