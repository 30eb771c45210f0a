"""The list of categories of a scorer: the shop's most frequent ones, or those of a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.exceptions import ConfigurationError
from streams.offline.training.categories import FILE_NAME, Choice, chosen, is_listable, parse_choice, write_counts

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(st.dictionaries(NAMES.filter(is_listable), st.integers(1, 10**9), max_size=300), st.integers(0, 256))
@settings(deadline=None)
def test_the_most_frequent_of_any_names_come_back_as_they_were(tmp_path_factory, counts, most) -> None:
    folder = tmp_path_factory.mktemp("rows")
    write_counts(folder / FILE_NAME, counts)
    found = chosen(Choice(most), folder / "rows.parquet")
    assert found == tuple(sorted(counts, key=lambda name: (-counts[name], name)))[:most]
    assert chosen(Choice(most), folder) == found


def test_without_counts_nothing_is_chosen(tmp_path: Path) -> None:
    assert chosen(Choice(), tmp_path) is None


@pytest.mark.parametrize(
    "content",
    [
        b"hats\nToys, games\n\nhats\nother\n",
        b"\xef\xbb\xbfhats\r\nToys, games\r\n",
        b'category,events\nhats,3\n"Toys, games",2\n',
        b'\xef\xbb\xbf"category"\r\nhats\r\n"Toys, games"\r\n',
    ],
)
def test_a_file_has_one_category_a_line_or_is_csv_with_a_header(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mine").write_bytes(content)
    assert chosen(Choice(file=tmp_path / "mine"), tmp_path) == ("hats", "Toys, games")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "found 0"),
        (b"other\n\n", "found 0"),
        ("".join(f"{n}\n" for n in range(257)).encode(), "found 257"),
        (b"\xff\xfehats", "UnicodeDecodeError"),
        (b'category\n"' + b"x" * 200_000, "mine: expected"),
    ],
)
def test_a_file_that_is_no_such_list_is_one_line(tmp_path: Path, content: bytes, found: str) -> None:
    (tmp_path / "mine").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"mine: expected .*found") as refused:
        chosen(Choice(file=tmp_path / "mine"), tmp_path)
    assert found in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_choice_is_a_number_of_the_most_frequent_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    assert parse_choice("top:12") == Choice(12)
    assert parse_choice("top:0") == Choice(0)
    assert parse_choice(str(tmp_path / "mine")) == Choice(file=tmp_path / "mine")
    for text, expected in (("top:257", "top:0 to top:256"), ("top:x", "found no file at top:x"), (str(tmp_path), "no")):
        with pytest.raises(ConfigurationError, match=expected):
            parse_choice(text)


def test_a_name_that_no_list_may_have_is_not_listable() -> None:
    assert is_listable("x" * 256)
    assert not any(map(is_listable, ("", "other", "x" * 257, "é" * 129)))
