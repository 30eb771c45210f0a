"""Files are read whatever kind they are of, and what cannot be read is named in one line."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import os
import threading
from pathlib import Path
from zoneinfo import ZoneInfo

import cramjam
import pytest

from streams.exceptions import ConfigurationError
from streams.records.events import Click, Search
from streams.sources.options import SourceOptions
from streams.sources.reading import check_sources, packed_bytes, plain_bytes, read_sources

VIEW = {"event_id": "1", "user_id": "u", "item_id": "i", "action": "view", "timestamp": 1_764_000_000_000}
SEARCH = {"event_id": "2", "user_id": "u", "query": "größe", "timestamp": 1_764_000_000_000}
LINES = [{"topic": "clicks", "value": VIEW}, {"topic": "searches", "value": SEARCH}]
TEXT = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in LINES)
PLAIN = TEXT.encode()


def zstd(data: bytes) -> bytes:
    return bytes(cramjam.zstd.compress(data))


def first_half(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    "written",
    [
        PLAIN,
        PLAIN.replace(b"\n", b"\r\n"),
        PLAIN.replace(b"\n", b"\r"),
        PLAIN.rstrip(),
        codecs.BOM_UTF8 + PLAIN,
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"),
        gzip.compress(PLAIN),
        b"".join(gzip.compress(line) for line in PLAIN.splitlines(keepends=True)) + b"\0" * 99,
        gzip.compress(PLAIN) + b"\0" * (3 << 20),
        gzip.compress(codecs.BOM_UTF8 + PLAIN),
        zstd(PLAIN),
        b"".join(zstd(line) for line in PLAIN.splitlines(keepends=True)),
        b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstd(PLAIN),
        json.dumps(LINES).encode(),
        json.dumps(LINES, indent=2).encode(),
        gzip.compress(json.dumps(LINES, indent="\t").encode()),
        "".join(json.dumps(line, indent=4) + "\n" for line in LINES).encode(),
    ],
    ids=[
        "plain",
        "CRLF",
        "CR",
        "no last newline",
        "UTF-8 mark",
        "UTF-16 LE",
        "UTF-16 BE",
        "UTF-32 LE",
        "gzip",
        "gzip of many members",
        "gzip padded",
        "gzip with a mark",
        "zstd",
        "zstd of many frames",
        "zstd after a skippable frame",
        "array",
        "indented array",
        "gzip of an array",
        "indented objects",
    ],
)
def test_what_holds_the_same_events_gives_the_same_events(tmp_path: Path, verdicts, written: bytes) -> None:
    file = tmp_path / "any.name"
    file.write_bytes(written)
    click, search = (event for _, event in verdicts(file))
    assert isinstance(click, Click)
    assert isinstance(search, Search)
    assert (click.event_id, search.query) == ("1", "größe")


def test_a_named_encoding_is_taken(tmp_path: Path, verdicts) -> None:
    file = tmp_path / "latin"
    file.write_bytes(TEXT.encode("latin-1"))
    assert verdicts(file, encoding="latin-1")[1][1].query == "größe"
    # Without it the second line is one that the worker calls malformed.
    assert [getattr(found, "reason", None) for _, found in verdicts(file)] == [None, "malformed"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (b"PK\x03\x04rest", "found a zip archive or a spreadsheet"),
        (gzip.compress(b"x" * 257 + b"ustar" + b"x" * 300), "found a tar archive"),
        (b"BZh91AY", "found a bzip2 file: unpack it first"),
        (b"Obj\x01more", "found an Avro file: convert it"),
        (gzip.compress(gzip.compress(PLAIN)), "packed once"),
        (gzip.compress(b"PAR1"), "expected one that is packed once"),
        (b"PAR1junkPAR1", "expected a Parquet file, found none that reads"),
        (TEXT.encode("utf-16-le"), "--encoding utf-16-le"),
        (first_half(gzip.compress(PLAIN)), "found the file cut off"),
        (first_half(zstd(os.urandom(999))), "found the file cut off"),
        (gzip.compress(PLAIN) + b"junk", "found damaged bytes"),
        (zstd(PLAIN) + b"junkjunkjunk", "found damaged bytes"),
        (json.dumps(LINES).encode()[:-1], "found the file cut off"),
        (b"", "found an empty file"),
    ],
    ids=[
        "zip",
        "tar in gzip",
        "bzip2",
        "avro",
        "packed twice",
        "parquet in gzip",
        "not a parquet file",
        "utf-16 without a mark",
        "gzip cut",
        "zstd cut",
        "gzip and junk",
        "zstd and junk",
        "array cut",
        "empty",
    ],
)
def test_what_cannot_be_read_is_named_in_one_line(tmp_path: Path, written: bytes, expected: str) -> None:
    file = tmp_path / "events.ndjson"
    file.write_bytes(written)

    def read() -> None:
        check_sources([file])
        list(read_sources([file]))

    with pytest.raises(ConfigurationError, match=expected) as caught:
        read()
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_cut_off_far_behind_its_beginning_names_the_last_line_that_was_read(tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson.gz"
    # Without its checksum.
    file.write_bytes(gzip.compress(b"".join(os.urandom(400).hex().encode() + b"\n" for _ in range(5000)))[:-8])
    check_sources([file])
    read = []
    with pytest.raises(ConfigurationError, match=r"events\.ndjson\.gz, after line 5,000: .*the file cut off"):
        read.extend(read_sources([file]))
    assert len(read) == 5000


def test_an_empty_file_beside_others_is_no_fault(tmp_path: Path, verdicts) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "full").write_bytes(PLAIN)
    assert len(verdicts(tmp_path / "empty", tmp_path / "full")) == 2


def test_lines_are_numbered_in_their_file_and_blank_ones_are_left_out(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b'\n  {"a":1}\r\n\t\n{"b":2}')
    other.write_bytes(b"x\n")
    arrived = [(found.file, found.line, getattr(found.record, "raw", None)) for found in read_sources([one, other])]
    assert arrived == [(str(one), 2, b'{"a":1}'), (str(one), 4, b'{"b":2}'), (str(other), 1, b"x")]


def test_a_file_that_is_not_there_is_named_before_anything_is_read(tmp_path: Path) -> None:
    there, missing = tmp_path / "there", tmp_path / "missing"
    there.write_bytes(b"x\n")
    check_sources([there])
    with pytest.raises(ConfigurationError, match="missing: expected a file of events, found none"):
        check_sources([there, missing])
    with pytest.raises(ConfigurationError, match="missing: expected a file of events, found none"):
        list(read_sources([missing]))


def test_a_pipe_is_read_once_and_checking_leaves_it_whole(tmp_path: Path, verdicts) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(gzip.compress(PLAIN),))
    writer.start()
    assert len(verdicts(pipe)) == 2
    writer.join()
    assert packed_bytes([pipe]) is None


def test_an_empty_pipe_is_not_passed_over_in_silence(tmp_path: Path, verdicts) -> None:
    with pytest.raises(ConfigurationError, match="null: expected events, found an empty file"):
        verdicts(Path("/dev/null"))
    (tmp_path / "full").write_bytes(PLAIN)
    assert len(verdicts(Path("/dev/null"), tmp_path / "full")) == 2


def test_standard_input_is_read_as_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "packed").write_bytes(zstd(PLAIN))
    with (tmp_path / "packed").open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert [found.file for found in read_sources([Path("-")])] == ["standard input"] * 2
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(ConfigurationError, match="standard input: expected events, found it closed"):
        list(read_sources([Path("-")]))
    with pytest.raises(ConfigurationError, match="found it twice"):
        check_sources([Path("-"), Path("-")])


def test_progress_adds_up_to_the_bytes_on_disk(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "a.ndjson").write_bytes(PLAIN * 50_000)
    (tmp_path / "b.gz").write_bytes(gzip.compress(PLAIN * 50_000))
    pq.write_table(pa.Table.from_pylist([{"topic": "clicks"} | VIEW] * 25_000), tmp_path / "c.parquet")
    told: list[int] = []
    assert sum(1 for _ in read_sources([tmp_path], progress=told.append)) == 225_000
    assert sum(told) == packed_bytes([tmp_path]) == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert min(told) >= 0
    assert plain_bytes([tmp_path]) > sum(told)


def test_a_bomb_is_unpacked_block_by_block_and_its_line_is_refused(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with gzip.open(packed, "wb") as file:
        for _ in range(40):
            file.write(b"\0" * (1 << 20))
        file.write(b"\n" + PLAIN)
    bomb = tmp_path / "bomb"
    # Behind a first line of text, because a file of zeros is no text.
    bomb.write_bytes(gzip.compress(PLAIN) + packed.getvalue())
    found = [getattr(arrived.record, "rejection", None) for arrived in read_sources([bomb])]
    assert [rejection and rejection.reason for rejection in found] == [None, None, "too_large", None, None]


def test_events_without_a_topic_are_taken_if_asked(tmp_path: Path, verdicts) -> None:
    file = tmp_path / "bare.ndjson"
    file.write_text(json.dumps(VIEW) + "\n" + json.dumps(SEARCH) + "\n" + json.dumps(LINES[0]) + "\n[1]\n{}\n")
    taken = [type(found).__name__ for _, found in verdicts(file, bare=True)]
    assert taken == ["Click", "Search", "Click", "Rejection", "Rejection"]
    assert "found a bare event: wrap it" in verdicts(file)[0][1].detail


def test_options_hold_for_lines_too(tmp_path: Path, verdicts) -> None:
    file = tmp_path / "lines.ndjson"
    value = VIEW | {"user_id": 7, "item_id": 8.0, "timestamp": "2025-11-24 17:00"}
    file.write_text(json.dumps({"topic": "clicks", "value": value}) + "\n")
    ((_, click),) = verdicts(file, integer_ids=True, timezone=ZoneInfo("Europe/Berlin"))
    assert (click.user_id, click.item_id, click.timestamp) == ("7", "8", 1_764_000_000_000)


def test_the_default_options_change_nothing() -> None:
    options = SourceOptions()
    assert not options.flat
    assert not options.amends
