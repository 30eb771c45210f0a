"""The file of labels: the right numbers, or a line that says which line of it is wrong."""

from pathlib import Path

import pytest

from streams.exceptions import ConfigurationError
from streams.offline.capacity.labels_file import read_labels

HEADER = b"user_id,label\n"


def written(folder: Path, content: bytes) -> Path:
    (folder / "labels.csv").write_bytes(content)
    return folder / "labels.csv"


@pytest.mark.parametrize(
    "content",
    [
        HEADER + b"u1,1\nu2,2.5\n",
        b"\xef\xbb\xbf" + HEADER + b"u1,1\nu2,2.5\n",
        b"user_id,label\r\nu1,1\r\nu2,2.5\r\n",
        b'"user_id","label"\n"u1","1"\n\n\n"u2"," 2.5 "',
        b"age,label,user_id\n45,1e0,u1\n,+2.50,u2\n",
        HEADER + b"u1,1\nu2,2.5\nu1,1.0\nu2,2.5\n",
    ],
)
def test_labels_are_read_each_user_once(content: bytes, tmp_path: Path) -> None:
    assert read_labels(written(tmp_path, content)).values == {"u1": 1.0, "u2": 2.5}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: expected the header user_id,label, found 0 columns user_id"),
        (b"\n\n", "expected the header"),
        (b"user_id;label\nu1;1\n", "found 0 columns user_id"),
        (b"user_id,income\nu1,1\n", "found 0 columns label"),
        (b"user_id,label,label\nu1,1,1\n", "found 2 columns label"),
        (HEADER, "line 1: expected a line with a user and a label, found none"),
        (HEADER + b"u1,1\n", "line 2: expected at least two labels that differ, found one value for 1 user up to here"),
        (HEADER + b"u1,1\nu2,1\nu3,1.0\n", "line 4: expected at least two labels that differ, found one value for 3"),
        (HEADER + b"u1,1\nu2,rich\n", "line 3: expected a number as label, found 'rich'"),
        (HEADER + b"u1,1\nu2,\n", "line 3: expected a number as label, found nothing"),
        (HEADER + b"u1,1\nu2,NaN\n", "line 3: expected a number as label, found 'NaN'"),
        (HEADER + b"u1,1\nu2,inf\n", "line 3: expected a number"),
        (HEADER + b"u1,1\nu2,1e999\n", "line 3: expected a number"),
        (HEADER + b"u1,1\nu2,1_000\n", "line 3: expected a number"),
        (HEADER + b'u1,1\nu2,"1,5"\n', "line 3: expected a number"),
        (HEADER + "u1,1\nu2,\u0661\n".encode(), "line 3: expected a number"),
        (HEADER + b"u1,1\n\nu2,\x1b[2J" + b"x" * 99 + b"\n", "line 4: expected a number"),
        (HEADER + b"u1,1\nu2\n", "line 3: expected 2 fields, as in the header, found 1"),
        (HEADER + b"u1,1\nu2,2,3\n", "line 3: expected 2 fields, as in the header, found 3"),
        (HEADER + b",1\nu2,2\n", "line 2: expected a user_id, found none"),
        (HEADER + b"u1,1\nu2,3\nu1,2\n", "line 4: expected the label of line 2 for the same user, found another"),
        (HEADER + b'u1,1\n"u2,2\n', "expected a line of CSV"),
        (HEADER + b"u1,1\nu2,\xff\n", "expected a CSV file in UTF-8"),
        ("user_id,label\nu1,1\n".encode("utf-16"), "expected a CSV file in UTF-8"),
        (HEADER + b"u1,1\n" + b"x" * 200_000 + b",2\n", "line 3: expected a line of CSV"),
    ],
)
def test_a_file_that_says_no_labels_is_one_line(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_labels(written(tmp_path, content))
    text = str(caught.value)
    assert message in text
    assert "\n" not in text
    assert "\x1b" not in text
    assert len(text) < 400


def test_columns_to_group_by_are_read_beside(tmp_path: Path) -> None:
    file = written(tmp_path, b"user_id,label,age,home\nu1,1,45-54,owner\nu2,2,,owner\nu1,1,45-54,owner\n")
    found = read_labels(file, ("age", "plan"))
    assert found.groups == {"age": {"u1": "45-54", "u2": ""}}
    assert found.columns == ("age", "home")


def test_two_groups_for_one_user_are_refused_only_where_groups_are_asked_for(tmp_path: Path) -> None:
    file = written(tmp_path, b"user_id,label,age\nu1,1,45-54\nu2,2,45-54\nu1,1,55-64\n")
    assert read_labels(file).values == {"u1": 1.0, "u2": 2.0}
    with pytest.raises(ConfigurationError, match="line 4: expected the 'age' of line 2 for the same user"):
        read_labels(file, ("age",))


def test_a_folder_is_no_file_of_labels(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="expected a CSV file of labels"):
        read_labels(tmp_path)
