"""Fuzzing that looks for new paths through the decoder, where its engine is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import ROOT

RUNS = 100_000
CLICK = {
    "event_id": "c",
    "user_id": "u1",
    "item_id": "i",
    "action": "cart",
    "timestamp": 1_764_000_000_000,
    "price": 1.5,
}


def test_guided_fuzzing_finds_no_input_that_the_decoder_does_not_survive(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris has no wheel for this Python")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "click").write_bytes(b"\x02" + json.dumps(CLICK).encode())
    done = subprocess.run(
        [sys.executable, "-m", "support.fuzz_decoder", f"-runs={RUNS}", "-seed=1", "-max_len=512", str(corpus)],
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"Done {RUNS} runs" in done.stderr
