"""Adapting an encoder: it learns, it goes on after an interruption, and what it leaves is an ordinary encoder."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from support.small_bert import IDEOGRAPH, labelled, save_small_bert

from models.encoder.bert import BertEncoder
from models.exceptions import EncoderLoadError
from models.finetuning import checkpoint
from models.finetuning.adapting import Adapted, embed_all
from models.finetuning.batches import Batches
from models.finetuning.exceptions import FinetuningError
from models.finetuning.options import Options
from models.finetuning.probe import predict, probability
from models.finetuning.running import CHECKPOINT_FILE, finetune
from models.finetuning.steps import loss_of, take_step
from models.finetuning.texts import Kind, Row, prepare, split
from models.finetuning.variants import variants
from models.finetuning.vocabulary import widen

CPU = torch.device("cpu")
QUICK = {"batch_size": 16, "learning_rate": 0.01, "evaluate_every": 20, "precision": "float32"}


class Interrupted(Exception):
    pass


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return save_small_bert(tmp_path_factory.mktemp("small") / "bert")


@pytest.fixture(scope="module")
def texts():
    return prepare([Row(text, label) for text, label in labelled(600)], Kind.LABEL)


@pytest.fixture(scope="module")
def done(small, texts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("output") / "adapted"
    return folder, finetune(str(small), texts, folder, Options(steps=160, **QUICK), data="made up")


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def adapted_of(folder, texts, **options):
    tokens = BertEncoder.load(str(folder), "cpu").tokenize(texts.texts)
    adapted = Adapted.load(folder, CPU)
    adapted.adapt(Options(precision="float32", **options), tokens)
    return adapted, tokens


def test_it_beats_the_ridge_probe_on_texts_that_were_never_seen(done):
    _, result = done
    assert result["after"]["mean_squared_error"] < result["probe"]["mean_squared_error"]
    assert result["after"]["log_loss"] < result["before"]["log_loss"]
    assert result["after"]["accuracy"] > result["probe"]["accuracy"]


def test_its_output_is_an_ordinary_encoder_of_another_identity(small, texts, done):
    folder, result = done
    encoder, original = BertEncoder.load(str(folder), "cpu"), BertEncoder.load(str(small), "cpu")
    assert encoder.packed
    assert encoder.weights_digest != original.weights_digest
    unseen = split(texts, 0).validation
    tokens = encoder.tokenize(unseen.texts)
    assert tokens == original.tokenize(unseen.texts)
    head = np.array(result["head"]["weight"]), result["head"]["bias"]
    found = probability(encoder.embed(tokens).astype(np.float64) @ head[0] + head[1])
    assert np.mean((found - unseen.values) ** 2) == pytest.approx(result["after"]["mean_squared_error"], rel=1e-4)


def test_its_folder_holds_curve_plot_and_card_and_nothing_of_the_run(done):
    folder, result = done
    names = {path.name for path in folder.iterdir()}
    assert {"finetuning.json", "curve.png", "README.md", "model.safetensors", "config.json", "vocab.txt"} <= names
    assert not {"begun", CHECKPOINT_FILE} & names
    assert json.loads((folder / "finetuning.json").read_text()) == result
    steps = [point["step"] for point in result["curve"]]
    assert steps == sorted(steps)
    assert result["best_step"] in steps
    assert "made up" in (folder / "README.md").read_text()


def test_merged_weights_embed_as_the_adapters_did(small, texts):
    adapted, tokens = adapted_of(small, texts)
    optimiser = torch.optim.AdamW(adapted.trained().values(), lr=0.01)
    for _ in range(3):
        take_step(adapted, optimiser, tokens[:16], torch.ones(16), Kind.LABEL, fgm=0.0)
    adapted.eval()
    ids, real = adapted.rows(tokens[:16])
    with torch.no_grad():
        pooled, _ = adapted(adapted.embedded(ids), real)
    merged = embed_all(adapted.snapshot(), tokens[:16], adapted.padding, CPU)
    frozen = BertEncoder.load(str(small), "cpu").embed(tokens[:16])
    np.testing.assert_allclose(merged, pooled.numpy(), atol=1e-5)
    assert np.abs(merged - frozen).max() > 1e-2


def test_adapters_train_a_part_and_full_training_trains_all(small, texts):
    part, _ = adapted_of(small, texts)
    whole, _ = adapted_of(small, texts, full=True)
    encoder_weights = [name for name in part.trained() if "lora" not in name and "token" not in name]
    assert encoder_weights == ["head.weight", "head.bias"]
    assert set(whole.trained()) == {name for name, _ in whole.named_parameters() if "pooler" not in name}


@pytest.mark.parametrize(
    "options", [{}, {"full": True, "fgm": 0.5, "augment": 0.5}], ids=["adapters", "full, adversarial, edited"]
)
def test_an_interrupted_run_ends_with_the_weights_of_an_undisturbed_one(small, texts, tmp_path, options):
    def interrupt(point):
        if point["step"] == 12:
            raise Interrupted

    how = Options(**QUICK | {"steps": 18, "evaluate_every": 4, "patience": 99}, **options)
    finetune(str(small), texts, tmp_path / "whole", how, data="")
    with pytest.raises(Interrupted):
        finetune(str(small), texts, tmp_path / "broken", how, data="", watch=interrupt)
    resumed = []
    finetune(str(small), texts, tmp_path / "broken", how, data="", resume=True, watch=resumed.append)
    assert [point["step"] for point in resumed] == [12, 16, 18]
    assert weights(tmp_path / "broken") == weights(tmp_path / "whole")


def test_a_run_tells_how_far_it_is_and_expects_no_steps_that_its_time_does_not_allow(small, texts, tmp_path):
    told = []
    options = Options(minutes=60.0, **QUICK | {"steps": 3, "evaluate_every": 3})
    finetune(str(small), texts, tmp_path / "by steps", options, data="", told=lambda *step: told.append(step))
    assert [step[1:] for step in told if step[0] == "steps of training"] == [(1, 3), (2, 3), (3, 3)]
    embedded = [step[1:] for step in told if step[0] == "texts embedded by the frozen encoder"]
    assert embedded[-1] == (len(texts), len(texts))
    told.clear()
    options = Options(minutes=1e-4, **QUICK)
    finetune(str(small), texts, tmp_path / "by time", options, data="", told=lambda *step: told.append(step))
    ends = [step[1:] for step in told if step[0] == "steps of training"][-1]
    assert ends[0] == ends[1]


def test_a_checkpoint_goes_on_only_under_its_own_options(small, texts, tmp_path):
    def interrupt(point):
        if point["step"] == 4:
            raise Interrupted

    options = QUICK | {"steps": 8, "evaluate_every": 2}
    with pytest.raises(Interrupted):
        finetune(str(small), texts, tmp_path, Options(**options), data="", watch=interrupt)
    with pytest.raises(FinetuningError, match="found a checkpoint"):
        finetune(str(small), texts, tmp_path, Options(**options), data="")
    with pytest.raises(FinetuningError, match="same texts, encoder and options"):
        finetune(str(small), texts, tmp_path, Options(**options, seed=1), data="", resume=True)
    (tmp_path / CHECKPOINT_FILE).write_bytes(b"PK damaged")
    with pytest.raises(FinetuningError, match="does not load"):
        finetune(str(small), texts, tmp_path, Options(**options), data="", resume=True)


def test_a_finished_folder_is_not_written_over(small, texts, done):
    with pytest.raises(FinetuningError, match="found one in"):
        finetune(str(small), texts, done[0], Options(), data="", resume=True)


def test_a_checkpoint_that_is_not_there_yet_is_no_error(tmp_path):
    assert checkpoint.load(tmp_path / "none.pt", "any") is None


def test_it_learns_a_number_in_its_own_unit(small, tmp_path):
    rows = [Row(text, 5000 + 1000 * label, f"u{number % 90}") for number, (text, label) in enumerate(labelled(500))]
    texts = prepare(rows, Kind.TARGET)
    result = finetune(str(small), texts, tmp_path / "out", Options(steps=120, **QUICK), data="")
    assert result["after"]["mean_squared_error"] < result["probe"]["mean_squared_error"] < 1000**2
    assert result["kind"] == "target"
    unseen = split(texts, 0).validation
    encoder = BertEncoder.load(str(tmp_path / "out"), "cpu")
    embeddings = encoder.embed(encoder.tokenize(unseen.texts)).astype(np.float64)
    found = embeddings @ np.array(result["head"]["weight"]) + result["head"]["bias"]
    assert np.mean((found - unseen.values) ** 2) == pytest.approx(result["after"]["mean_squared_error"], rel=1e-3)


def test_training_ends_when_the_stopping_texts_gain_no_more(small, texts, tmp_path):
    options = QUICK | {"learning_rate": 1e-12, "evaluate_every": 1, "patience": 3}
    result = finetune(str(small), texts, tmp_path / "out", Options(steps=100, **options), data="")
    assert result["ended"] == "no better for a while"
    assert result["steps"] < 100


def test_training_ends_when_its_time_is_up(small, texts, tmp_path):
    result = finetune(str(small), texts, tmp_path / "out", Options(minutes=1e-4, **QUICK), data="")
    assert result["ended"] == "time is up"
    assert result["curve"][-1]["step"] == result["steps"]


def test_the_adversarial_pass_moves_each_text_by_its_length_to_where_the_loss_is_higher(small, texts, monkeypatch):
    adapted, tokens = adapted_of(small, texts, full=True)
    for module in adapted.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    passes, plain = [], adapted.forward
    monkeypatch.setattr(
        adapted, "forward", lambda embedded, real: passes.append(embedded.detach()) or plain(embedded, real)
    )
    optimiser = torch.optim.SGD(adapted.parameters(), lr=0.0)
    take_step(adapted, optimiser, tokens[:8], torch.ones(8), Kind.LABEL, fgm=0.1)
    clean, moved = passes
    assert (moved - clean).flatten(1).norm(dim=1).tolist() == pytest.approx([0.1] * 8, rel=1e-4)
    _, real = adapted.rows(tokens[:8])
    losses = [loss_of(plain(embedded, real)[1], torch.ones(8), Kind.LABEL).item() for embedded in passes]
    assert losses[1] > losses[0]


def test_ideographs_are_told_apart_and_embedded_as_before(small, tmp_path):
    written = [f"bak {IDEOGRAPH} bal", f"{IDEOGRAPH}bak", "bam ban"]
    assert widen(small, written * 5, tmp_path / "wide") == 1
    wide, narrow = (BertEncoder.load(str(folder), "cpu") for folder in (tmp_path / "wide", small))
    assert wide.weights_digest != narrow.weights_digest
    before, after = narrow.tokenize(written), wide.tokenize(written)
    assert [len(one) for one in before] == [len(one) for one in after]
    assert (before[0] != after[0], before[2] == after[2]) == (True, True)
    np.testing.assert_array_equal(wide.embed(after), narrow.embed(before))


def test_rare_ideographs_are_left_unknown(small, tmp_path):
    assert widen(small, [IDEOGRAPH, f"bak {IDEOGRAPH}", "bak"], tmp_path / "same") == 0
    assert BertEncoder.load(str(tmp_path / "same"), "cpu").tokenize([IDEOGRAPH])[0][1] == 1


def test_variants_report_their_agreement_and_speed_and_the_student_is_an_encoder(small, texts, tmp_path):
    folder = save_small_bert(tmp_path / "bert", layers=4)
    parts = split(texts, 0)
    found = variants(folder, parts.train.texts, parts.validation.texts, ["int8", "distilled"], minutes=0.05, pairs=1)
    assert set(found) == {"int8", "distilled"}
    for one in found.values():
        assert one["speed"] > 0
        assert one["cosine_least"] <= one["cosine_mean"] <= 1 + 1e-6
    assert found["int8"]["cosine_least"] > 0.99
    assert found["distilled"]["cosine_mean"] > 0.8
    config = json.loads((folder / "distilled" / "config.json").read_text())
    assert config["num_hidden_layers"] == 2
    assert BertEncoder.load(str(folder / "distilled"), "cpu").dimension == 16


def test_batches_read_every_text_once_per_pass_in_an_order_of_seed_and_step():
    lengths = [5 + number % 7 for number in range(103)]
    one, again, other = Batches(lengths, 10, 0), Batches(lengths, 10, 0), Batches(lengths, 10, 1)
    assert one.per_pass == 11
    for start in (0, 11):
        assert sorted(index for step in range(11) for index in one.at(start + step)) == list(range(103))
    assert [again.at(step) for step in (15, 3)] == [one.at(step) for step in (15, 3)]
    assert one.at(0) not in (one.at(11), other.at(0))


def test_a_model_that_does_not_load_is_said_so(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EncoderLoadError):
        Adapted.load(tmp_path, CPU)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rank": 0},
        {"steps": 0},
        {"minutes": -1.0},
        {"learning_rate": 0.0},
        {"fgm": -0.1},
        {"augment": 1.5},
        {"precision": "int3"},
    ],
)
def test_options_that_cannot_be_trained_with_are_refused(wrong):
    with pytest.raises(FinetuningError, match="expected"):
        Options(**wrong)


def test_only_the_time_limit_may_change_between_a_run_and_its_resumption():
    assert Options(minutes=1.0).fingerprint("a") == Options(minutes=2.0).fingerprint("a")
    different = {Options().fingerprint("a"), Options().fingerprint("b"), Options(fgm=0.1).fingerprint("a")}
    assert len(different) == 3


def test_predictions_are_linear_in_the_embedding():
    from models.finetuning.adapting import Head

    assert predict(Head(np.array([1.0, 2.0]), 0.5), np.array([[1.0, 1.0], [0.0, 0.0]])).tolist() == [3.5, 0.5]
