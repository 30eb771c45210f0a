"""Files of events are read one after the other, and missing ones are named first."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.exceptions import ConfigurationError
from streams.sources.reading import check_sources, read_sources


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
    with pytest.raises(ConfigurationError, match="found a folder"):
        check_sources([tmp_path])
    with pytest.raises(ConfigurationError, match="missing: expected a file that can be read"):
        list(read_sources([missing]))
