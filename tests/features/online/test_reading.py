from __future__ import annotations

import os
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from feast import FeatureStore
from feast.protos.feast.types.Value_pb2 import DoubleList, FloatList, Value
from hypothesis import given
from hypothesis import strategies as st
from support import plain_feast
from support.command import run

from features.exceptions import OnlineStoreError
from features.online import USERS, OnlineStore, open_online_store
from features.online.decoding import value
from features.online.probing import probe
from features.online.reading import read_users
from features.online.views import Kind
from features.repository import apply
from features.users.catalogue import SCALARS


@dataclass(frozen=True)
class Served:
    url: str
    feast: FeatureStore
    online: OnlineStore


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("reading")
    if request.param == "sqlite":
        url = f"sqlite:///{folder}/a%20b+c/online.db"
    else:
        server = request.getfixturevalue("redis_server")
        server.client(5).flushdb()
        url = server.url(5)
    with closing(open_online_store(url)) as online:
        yield Served(url, apply(folder, url), online)


def assert_as_feast(served: Served, users: list[str]) -> list[dict[str, Any]]:
    found = read_users(served.url, users)
    expected = plain_feast.read_users(served.feast, users)
    assert found == expected
    for ours, feasts in zip(found, expected, strict=True):
        assert list(ours) == list(feasts)
        assert [type(value) for value in ours.values()] == [type(value) for value in feasts.values()]
        assert str(ours) == str(feasts), "-0.0 and infinities included"
    return found


def test_users_are_read_as_plain_feast_reads_them(served: Served, make_row: Any) -> None:
    users = [f"many-{number}" for number in range(230)]
    served.online.write([make_row(user, number + 1) for number, user in enumerate(users)])
    assert len(assert_as_feast(served, users)) == 230


def test_extreme_values_are_read_as_plain_feast_reads_them(served: Served, make_row: Any) -> None:
    ints = [0, 1, 127, 128, 4095, 4096, 2**31, 2**53 + 1, 2**63 - 1, -1, -(2**63)]
    floats = [0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1, 1 / 3, float("inf"), float("-inf"), None]
    scalars = tuple(
        ints[position % len(ints)] if scalar.integer else floats[position % len(floats)]
        for position, scalar in enumerate(SCALARS)
    )
    user = "ключ \u0000 鍵 😀"
    served.online.write([make_row(user, 2**52, scalars=scalars, encoder="", tier="é" * 200, profile=bytes(256))])
    (found,) = assert_as_feast(served, [user])
    assert found["encoder"] == ""


def test_the_unknown_and_the_erased_are_left_out_and_the_order_is_kept(served: Served, make_row: Any) -> None:
    served.online.write([make_row("left", 1), make_row("erased", 1), make_row("right", 1)])
    served.online.delete({"erased": (2, 0, 0)})
    found = assert_as_feast(served, ["right", "nobody", "erased", "left", "right"])
    assert [user["user_id"] for user in found] == ["right", "left"]
    assert assert_as_feast(served, []) == []


def test_a_feature_that_was_never_written_is_null(tmp_path: Path, make_row: Any) -> None:
    url = f"sqlite:///{tmp_path}/online.db"
    with closing(open_online_store(url)) as online:
        online.write([make_row("u1", 1)])
        with closing(sqlite3.connect(tmp_path / "online.db")) as connection, connection:
            connection.execute("DELETE FROM wherewithal_user_behavior WHERE feature_name LIKE 'removes_%'")
            connection.execute("DELETE FROM wherewithal_purchasing_power")
        (found,) = assert_as_feast(Served(url, apply(tmp_path, url), online), ["u1"])
    assert found["removes_1h"] is None
    assert found["revisions"] == {"user_behavior": 1, "user_profile": 1, "user_taste": 1, "purchasing_power": None}


def test_reading_changes_no_file_and_waits_for_no_writer(tmp_path: Path, make_row: Any) -> None:
    path = tmp_path / "online.db"
    with closing(open_online_store(f"sqlite:///{path}")) as online:
        online.write([make_row("u1", 1)])
    before = path.read_bytes()
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert [user["user_id"] for user in read_users(f"sqlite:///{path}", ["u1"])] == ["u1"]
        writer.execute("ROLLBACK")
    assert path.read_bytes() == before


def test_a_file_without_tables_knows_nobody_and_one_that_is_missing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    assert read_users(f"sqlite:///{tmp_path}/empty.db", ["u1"]) == []
    with pytest.raises(OnlineStoreError, match="unable to open"):
        read_users(f"sqlite:///{tmp_path}/none.db", ["u1"])
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("kept", [b"no database, and long enough to be one" * 99, b"SQLite format 3\0" + bytes(999)])
def test_a_file_that_is_no_database_is_an_error(tmp_path: Path, kept: bytes) -> None:
    (tmp_path / "online.db").write_bytes(kept)
    with pytest.raises(OnlineStoreError, match="expected to read the SQLite online store"):
        read_users(f"sqlite:///{tmp_path}/online.db", ["u1"])


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_an_error_and_is_not_waited_for(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "online.db")
    with pytest.raises(OnlineStoreError, match="found no file there"):
        read_users(f"sqlite:///{tmp_path}/online.db", ["u1"])
    with pytest.raises(OnlineStoreError, match="found no file there"):
        probe(f"sqlite:///{tmp_path}/online.db")


@pytest.mark.parametrize("redis_fails", [False, True])
def test_a_failing_read_is_reported_without_the_user(
    request: pytest.FixtureRequest, tmp_path: Path, redis_fails: bool
) -> None:
    user_id = "-".join(("secret", "user"))
    if redis_fails:
        server = request.getfixturevalue("redis_server")
        server.client(7).set(USERS.keys.encode(user_id) + b"wherewithal", "no hash")
        url = server.url(7)
    else:
        url = f"sqlite:///{tmp_path}/online.db"
        open_online_store(url).close()
        with closing(sqlite3.connect(tmp_path / "online.db")) as connection:
            connection.execute("ALTER TABLE wherewithal_user_profile RENAME COLUMN value TO worth")
    with pytest.raises(OnlineStoreError, match=r"expected (to read )?the (SQLite|Redis) online store") as caught:
        read_users(url, [user_id])
    assert user_id not in "".join(traceback.format_exception(caught.value))


def test_a_protected_redis_is_read(start_redis: Any, make_row: Any) -> None:
    with start_redis("a,b") as server:
        url = server.url(0, "a%2Cb")
        with closing(open_online_store(url)) as online:
            online.write([make_row()])
        assert [user["user_id"] for user in read_users(url, ["u1"])] == ["u1"]


# Values as Feast's own writer serialises them


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_are_decoded(number: int) -> None:
    assert value(Kind.INT64, Value(int64_val=number).SerializeToString()) == number


@given(st.floats(allow_nan=False))
def test_floats_are_decoded(number: float) -> None:
    assert str(value(Kind.FLOAT64, Value(double_val=number).SerializeToString())) == str(number)


@given(st.text())
def test_texts_are_decoded(text: str) -> None:
    assert value(Kind.STRING, Value(string_val=text).SerializeToString()) == text


@given(st.lists(st.floats(width=32, allow_nan=False)))
def test_vectors_are_decoded(numbers: list[float]) -> None:
    assert value(Kind.FLOAT32_ARRAY, Value(float_list_val=FloatList(val=numbers)).SerializeToString()) == numbers


@given(st.sampled_from(Kind), st.binary(min_size=1))
def test_any_other_bytes_are_refused_in_one_line_or_are_a_value(kind: Kind, encoded: bytes) -> None:
    refusals: list[str] = []
    try:
        found = value(kind, encoded)
    except OnlineStoreError as error:
        refusals.append(str(error))
    else:
        assert isinstance(found, int | float | str | list)
    assert not any("\n" in refusal for refusal in refusals)


@pytest.mark.parametrize(
    "other",
    [Value(bool_val=True), Value(int32_val=1), Value(double_list_val=DoubleList(val=[1.0])), Value(bytes_val=b"1")],
)
def test_a_value_of_another_type_is_refused(other: Value) -> None:
    for kind in Kind:
        with pytest.raises(OnlineStoreError, match=f"expected a value of type {kind.name}"):
            value(kind, other.SerializeToString())


def test_the_command_imports_neither_feast_nor_what_comes_with_it(tmp_path: Path, make_row: Any) -> None:
    with closing(open_online_store(f"sqlite:///{tmp_path}/online.db")) as online:
        online.write([make_row("u1", 1)])
    code, out, err = run("features", "u1", WHEREWITHAL_STATE_DIR=str(tmp_path), PYTHONPROFILEIMPORTTIME="1")
    assert code == 0
    assert "all-MiniLM-L6-v2@0123456789ab" in out
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in err.splitlines() if "|" in line}
    assert "sqlite3" in imported
    assert not imported & {"feast", "pandas", "torch", "pyarrow", "faust", "transformers"}
