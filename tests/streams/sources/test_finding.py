"""A folder stands for the files in it, as Spark writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.exceptions import ConfigurationError
from streams.sources.finding import find_parts


def write(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return root


def test_files_come_in_the_order_of_their_names_and_marks_are_left_out(tmp_path: Path) -> None:
    write(
        tmp_path, "b/part-1", "a/part-2", "a/part-1", "_SUCCESS", ".part-1.crc", "a/part-1.crc", "_temporary/0/part-9"
    )
    found = [str(part.path.relative_to(tmp_path)) for part in find_parts([tmp_path])]
    assert found == ["a/part-1", "a/part-2", "b/part-1"]


def test_names_of_folders_are_columns(tmp_path: Path) -> None:
    write(tmp_path, "d=2025-11-24/t=a%2Fb/part", "d=__HIVE_DEFAULT_PARTITION__/part")
    assert [part.partitions for part in find_parts([tmp_path])] == [{"d": "2025-11-24", "t": "a/b"}, {"d": None}]
    (named,) = find_parts([tmp_path / "d=2025-11-24"])
    assert named.partitions == {"d": "2025-11-24", "t": "a/b"}


def test_links_are_followed_and_do_not_lead_in_circles(tmp_path: Path) -> None:
    folder = write(tmp_path / "folder", "one")
    (folder / "again").symlink_to(folder)
    (folder / "two").symlink_to(write(tmp_path / "other", "file") / "file")
    (folder / "linked").symlink_to(tmp_path / "other")
    assert [part.path.name for part in find_parts([folder])] == ["file", "one", "two"]


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "_SUCCESS")
    with pytest.raises(ConfigurationError, match="found no file in it"):
        find_parts([tmp_path])


def test_parts_know_what_the_user_named(tmp_path: Path) -> None:
    write(tmp_path, "folder/1", "folder/2", "file")
    assert [part.source for part in find_parts([tmp_path / "folder", tmp_path / "file"])] == [0, 0, 1]
