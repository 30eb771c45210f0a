from __future__ import annotations

import sqlite3
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas
import pytest
from feast import FeatureStore, FeatureView
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.helpers import extract_text_and_num
from feast.infra.online_stores.redis import RedisOnlineStore as FeastRedis
from feast.infra.online_stores.sqlite import SqliteOnlineStore as FeastSqlite
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import FloatList, Value
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from support.online_rows import make_item_row
from support.plain_feast import read_users

from features.exceptions import OfflineColumnsError, OnlineRowError, OnlineStoreURLError
from features.items.catalogue import SCALARS as ITEM_SCALARS
from features.online import ITEMS, OnlineRow, OnlineStore, open_online_store
from features.online.address import parse
from features.online.reading import read_items
from features.online.redis import RedisOnlineStore
from features.online.rows import CapacityRow
from features.online.sqlite import SqliteOnlineStore
from features.online.user_views import USERS
from features.online.views import Kind
from features.online.wire import texts, timestamp, values
from features.repository import (
    ITEM_SERVICE,
    SERVICE,
    SERVICE_V2,
    apply,
    capacity_view,
    feature_services,
    feature_views,
    item_views,
    repo_config,
)
from features.users.catalogue import NAMES, SCALARS

NOW_NS = 1_764_000_123_456_789_000
NOW = datetime(2025, 11, 24, 16, 2, 3, 456789, tzinfo=UTC)


def served(row: OnlineRow) -> dict[str, Any]:
    """What a reader must get for a row."""
    return {
        "user_id": row.user_id,
        "event_time": row.event_time,
        "revision": row.revision,
        **dict(zip(NAMES, row.scalars, strict=True)),
        "profile_vector": list(struct.unpack("<64f", row.profile)),
        "encoder": row.encoder,
        "taste_vector": list(struct.unpack("<64f", row.taste)),
        "titles_waiting": row.titles_waiting,
        "score": row.score,
        "expected_spend": row.expected_spend,
        "tier": row.tier,
        "scorer": row.scorer,
        "revisions": dict.fromkeys(["user_behavior", "user_profile", "user_taste", "purchasing_power"], row.revision),
    }


@dataclass(frozen=True)
class Served:
    folder: Path
    url: str
    feast: FeatureStore
    online: OnlineStore


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def repository(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("repository")
    if request.param == "sqlite":
        url = f"sqlite:///{folder}/served/deep/online.db"
    else:
        server = request.getfixturevalue("redis_server")
        server.client(4).flushdb()
        url = server.url(4)
    with closing(open_online_store(url)) as online:
        yield Served(folder, url, apply(folder, url), online)


# Reading back through plain Feast; our own reader finds the same: tests/features/online/test_reading.py


def test_rows_read_back_equal(repository: Served, make_row: Any) -> None:
    rows = [make_row(f"back-{number}", number + 1) for number in range(230)]
    assert repository.online.write(rows).written == 230
    found = read_users(repository.feast, [row.user_id for row in rows])
    assert found == [served(row) for row in rows]


def test_extreme_values_and_types_read_back_exactly(repository: Served, make_row: Any) -> None:
    ints = [0, 1, 127, 128, 4095, 4096, 2**31, 2**53 + 1, 2**63 - 1, -1, -(2**63)]
    floats = [0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1, 1 / 3, float("inf"), None]
    scalars = tuple(
        ints[position % len(ints)] if scalar.integer else floats[position % len(floats)]
        for position, scalar in enumerate(SCALARS)
    )
    row = make_row("ключ \u0000 鍵 😀", 2**52, scalars=scalars, encoder="", profile=bytes(256))
    repository.online.write([row])
    (found,) = read_users(repository.feast, [row.user_id])
    assert found == served(row)
    for name, scalar, value in zip(NAMES, SCALARS, row.scalars, strict=True):
        assert type(found[name]) is (type(None) if value is None else int if scalar.integer else float)
        assert str(found[name]) == str(value)


def test_a_newer_row_replaces_every_value_nulls_included(repository: Served, make_row: Any) -> None:
    nothing = tuple(0 if scalar.integer else None for scalar in SCALARS)
    repository.online.write([make_row("renewed", 1)])
    row = make_row("renewed", 2, scalars=nothing)
    repository.online.write([row])
    assert read_users(repository.feast, ["renewed"]) == [served(row)]


def test_unknown_and_erased_users_are_left_out_and_the_order_is_kept(repository: Served, make_row: Any) -> None:
    repository.online.write([make_row("left", 1), make_row("erased", 1), make_row("right", 1)])
    repository.online.delete({"erased": (2, 0, 0)})
    asked = ["right", "nobody", "erased", "left", "right"]
    assert [user["user_id"] for user in read_users(repository.feast, asked)] == ["right", "left"]
    assert read_users(repository.feast, ["nobody"]) == []
    assert read_users(repository.feast, []) == []


def test_applying_again_keeps_the_rows_and_the_objects(repository: Served, make_row: Any) -> None:
    row = make_row("kept", 1)
    repository.online.write([row])
    again = apply(repository.folder, repository.url)
    assert read_users(again, ["kept"]) == [served(row)]
    first = ["user_behavior", "user_profile", "purchasing_power"]
    for service, views in ((SERVICE, first), (SERVICE_V2, [*first[:2], "user_taste", *first[2:]])):
        assert [view.name for view in again.get_feature_service(service).feature_view_projections] == views
    assert repository.online.write([make_row("kept", 2)]).written == 1


def test_the_views_are_those_of_the_contract() -> None:
    shapes = {view.name: {field.name: str(field.dtype) for field in view.features} for view in feature_views()}
    assert shapes == {
        "user_behavior": {
            **{scalar.name: "Int64" if scalar.integer else "Float64" for scalar in SCALARS},
            "event_time": "Int64",
            "revision": "Int64",
        },
        "user_profile": {"profile_vector": "Array(Float32)", "encoder": "String", "revision": "Int64"},
        "user_taste": {
            "taste_vector": "Array(Float32)",
            "encoder": "String",
            "titles_waiting": "Int64",
            "revision": "Int64",
        },
        "purchasing_power": {
            "score": "Float64",
            "expected_spend": "Float64",
            "tier": "String",
            "scorer": "String",
            "revision": "Int64",
        },
    }
    assert {view.entities[0] for view in feature_views()} == {"user"}


def test_the_view_of_an_item_is_that_of_the_contract() -> None:
    (view,) = item_views()
    assert (view.name, view.entities) == ("item_signals", ["item"])
    assert {field.name: str(field.dtype) for field in view.features} == {
        **{scalar.name: "Int64" if scalar.integer else "Float64" for scalar in ITEM_SCALARS},
        "title": "String",
        "category": "String",
        "price": "Float64",
        "title_vector": "Array(Float32)",
        "encoder": "String",
        "event_time": "Int64",
        "revision": "Int64",
    }


def test_items_read_back_equal_through_feast(repository: Served) -> None:
    rows = [make_item_row(f"back-{number}", number + 1) for number in range(30)]
    with closing(open_online_store(repository.url, serving=ITEMS)) as items:
        items.write(rows)
        items.delete({"back-3": (2, 0, 0)})
    service = repository.feast.get_feature_service(ITEM_SERVICE)
    asked = [{"item_id": row.item_id} for row in rows]
    found = repository.feast.get_online_features(features=service, entity_rows=asked).to_dict()
    ours = {row["item_id"]: row for row in read_items(repository.url, [row.item_id for row in rows])}
    assert set(ours) == {row.item_id for row in rows} - {"back-3"}
    for place, item_id in enumerate(found["item_id"]):
        feast = {name: values[place] for name, values in found.items()}
        wanted = ours.get(item_id, {"item_id": item_id})
        assert {name: wanted.get(name) for name in feast} == feast
        assert set(feast) == {"item_id", *(field.name for field in item_views()[0].features)}


def test_capacity_is_a_view_of_its_own_in_no_service_and_in_no_history(repository: Served, make_row: Any) -> None:
    assert {field.name: str(field.dtype) for field in capacity_view().features} == {
        "capacity": "Float64",
        "prediction": "Float64",
        "band": "String",
        "scorer": "String",
        "encoder": "String",
        "evidence": "Int64",
        "revision": "Int64",
    }
    for service in repository.feast.list_feature_services():
        assert "purchasing_capacity" not in {view.name for view in service.feature_view_projections}
    known = CapacityRow(71.25, None, "upper", "2026-11-28-0a1b2c", "mini@0123456789ab", 42)
    repository.online.write([make_row("able", 1, capacity=known)])
    names = ["capacity", "prediction", "band", "scorer", "encoder", "evidence", "revision"]
    asked = [f"purchasing_capacity:{name}" for name in names]
    found = repository.feast.get_online_features(features=asked, entity_rows=[{"user_id": "able"}]).to_dict()
    assert [found[name][0] for name in names] == [71.25, None, "upper", known.scorer, known.encoder, 42, 1]
    with pytest.raises(OfflineColumnsError, match="purchasing_capacity, which is served online alone"):
        repository.feast.get_historical_features(entity_df=None, features=asked)


# The services

WINDOWS = ("1h", "24h", "7d", "30d")
FIRST_COUNTS = ("views", "favorites", "carts", "purchases", "searches", "reviews", "spend")
FIRST_SCALARS = [
    *(f"{name}_{window}" for name in FIRST_COUNTS for window in WINDOWS),
    *("average_order_value_30d", "conversion_30d", "mean_viewed_price_7d", "mean_rating_30d", "noisy_reviews_30d"),
    *("lifetime_purchases", "lifetime_spend", "tenure_days", "days_since_last_purchase"),
]
FIRST_FIELDS = {
    "user_behavior": [*FIRST_SCALARS, "event_time", "revision"],
    "user_profile": ["profile_vector", "encoder", "revision"],
    "purchasing_power": ["score", "expected_spend", "tier", "scorer", "revision"],
}


def fields_of(store: FeatureStore, service: str) -> dict[str, list[str]]:
    projections = store.get_feature_service(service).feature_view_projections
    return {view.name: [field.name for field in view.features] for view in projections}


def test_the_first_service_has_the_fields_of_the_first_release_and_the_second_has_all(repository: Served) -> None:
    assert len(FIRST_SCALARS) == 37
    assert fields_of(repository.feast, SERVICE) == FIRST_FIELDS
    everything = {view.name: [field.name for field in view.features] for view in feature_views()}
    assert fields_of(repository.feast, SERVICE_V2) == everything
    assert set(everything["user_behavior"]) - set(FIRST_SCALARS) == {
        *(f"{name}_{window}" for name in ("removes", "refunds", "refunded", "orders", "units") for window in WINDOWS),
        *("net_spend_30d", "mean_paid_30d", "lifetime_orders", "lifetime_refunded"),
        *("event_time", "revision"),
    }


def test_making_the_first_service_leaves_the_views_whole() -> None:
    views = feature_views()
    frozen, whole = feature_services(views)
    assert [len(view.features) for view in views] == [len(SCALARS) + 2, 3, 4, 5]
    assert [len(view.features) for view in whole.feature_view_projections] == [len(SCALARS) + 2, 3, 4, 5]
    assert [len(view.features) for view in frozen.feature_view_projections] == [39, 3, 5]


def test_online_the_first_service_gives_its_fields_only(repository: Served, make_row: Any) -> None:
    repository.online.write([make_row("first", 1)])
    answer = repository.feast.get_online_features(
        features=repository.feast.get_feature_service(SERVICE),
        entity_rows=[{"user_id": "first"}],
        full_feature_names=True,
    ).to_dict()
    wanted = {f"{view}__{name}" for view, names in FIRST_FIELDS.items() for name in names}
    assert set(answer) == {"user_id", *wanted}
    assert answer["user_behavior__revision"] == [1]


def test_a_feature_that_a_row_was_written_without_is_null_until_it_is_written_again(
    tmp_path: Path, make_row: Any
) -> None:
    url = f"sqlite:///{tmp_path}/online.db"
    feast = apply(tmp_path, url)
    with closing(open_online_store(url)) as online:
        online.write([make_row("u1", 1)])
        with closing(sqlite3.connect(tmp_path / "online.db")) as connection, connection:
            connection.execute("DELETE FROM wherewithal_user_behavior WHERE feature_name LIKE 'removes_%'")
        (found,) = read_users(feast, ["u1"])
        assert [found[f"removes_{window}"] for window in WINDOWS] == [None] * 4
        row = make_row("u1", 2)
        online.write([row])
    assert read_users(feast, ["u1"]) == [served(row)]


# The same bytes as Feast's own writer


def every_view() -> list[FeatureView]:
    return [*feature_views(), capacity_view()]


def able_rows(make_row: Any) -> list[OnlineRow]:
    """Rows with a capacity, every fourth of too little evidence."""
    known = CapacityRow(71.25, 0.77, "upper", "2026-11-28-0a1b2c", "mini@0123456789ab", 42)
    unknown = CapacityRow(None, None, "unknown", known.scorer, known.encoder, 0)
    return [make_row(f"u{number}", number + 1, capacity=known if number % 4 else unknown) for number in range(40)]


def feast_rows(rows: list[OnlineRow]) -> dict[str, list[Any]]:
    """The rows as Feast's `online_write_batch` takes them, per view."""
    given: dict[str, list[Any]] = {view.name: [] for view in every_view()}
    for row in rows:
        key = EntityKey(join_keys=["user_id"], entity_values=[Value(string_val=row.user_id)])
        revision = Value(int64_val=row.revision)
        behavior = {"event_time": Value(int64_val=row.event_time), "revision": revision}
        for scalar, value in zip(SCALARS, row.scalars, strict=True):
            if value is None:
                behavior[scalar.name] = Value()
            else:
                behavior[scalar.name] = Value(int64_val=value) if scalar.integer else Value(double_val=value)
        profile = {
            "profile_vector": Value(float_list_val=FloatList(val=struct.unpack("<64f", row.profile))),
            "encoder": Value(string_val=row.encoder),
            "revision": revision,
        }
        taste = {
            "taste_vector": Value(float_list_val=FloatList(val=struct.unpack("<64f", row.taste))),
            "encoder": Value(string_val=row.encoder),
            "titles_waiting": Value(int64_val=row.titles_waiting),
            "revision": revision,
        }
        power = {
            "score": Value(double_val=row.score),
            "expected_spend": Value(double_val=row.expected_spend),
            "tier": Value(string_val=row.tier),
            "scorer": Value(string_val=row.scorer),
            "revision": revision,
        }
        able = row.capacity
        assert able is not None
        capacity = {
            "capacity": Value() if able.capacity is None else Value(double_val=able.capacity),
            "prediction": Value() if able.prediction is None else Value(double_val=able.prediction),
            "band": Value(string_val=able.band),
            "scorer": Value(string_val=able.scorer),
            "encoder": Value(string_val=able.encoder),
            "evidence": Value(int64_val=able.evidence),
            "revision": revision,
        }
        for name, features in zip(given, (behavior, profile, taste, power, capacity), strict=True):
            given[name].append((key, features, NOW, None))
    return given


def test_sqlite_holds_what_feast_itself_would_write(tmp_path: Path, make_row: Any) -> None:
    rows = able_rows(make_row)
    config = repo_config(tmp_path, f"sqlite:///{tmp_path}/feast.db")
    feast = FeastSqlite()
    feast.update(config, [], every_view(), [], [], partial=False)
    for view in every_view():
        feast.online_write_batch(config, view, feast_rows(rows)[view.name], None)
    with closing(SqliteOnlineStore(tmp_path / "ours.db", "wherewithal", clock_ns=lambda: NOW_NS)) as store:
        store.write([make_row(row.user_id, 0, fence=(0, 0, 0)) for row in rows])
        store.write(rows)
    with (
        closing(sqlite3.connect(tmp_path / "feast.db")) as theirs,
        closing(sqlite3.connect(tmp_path / "ours.db")) as mine,
    ):
        schema = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%fence%' ORDER BY name"
        assert mine.execute(schema).fetchall() == theirs.execute(schema).fetchall()
        for view in every_view():
            table = f'SELECT * FROM "wherewithal_{view.name}" ORDER BY entity_key, feature_name'
            expected = theirs.execute(table).fetchall()
            assert len(expected) == 40 * len(view.features)
            assert mine.execute(table).fetchall() == expected


def test_redis_holds_what_feast_itself_would_write(redis_server: Any, tmp_path: Path, make_row: Any) -> None:
    rows = able_rows(make_row)
    theirs, mine = redis_server.client(5), redis_server.client(6)
    theirs.flushdb()
    mine.flushdb()
    config = repo_config(tmp_path, redis_server.url(5))
    feast = FeastRedis()
    for view in every_view():
        feast.online_write_batch(config, view, feast_rows(rows)[view.name], None)
    address = parse(redis_server.url(6))
    with closing(RedisOnlineStore(address, "wherewithal", clock_ns=lambda: NOW_NS)) as store:
        store.write([make_row(row.user_id, 0, fence=(0, 0, 0)) for row in rows])
        store.write(rows)
    keys = sorted(theirs.keys())
    assert len(keys) == 40
    assert sorted(mine.keys()) == keys
    for key in keys:
        stored = mine.hgetall(key)
        assert stored.pop(b"wherewithal:fence").startswith(b"1:")
        assert stored == theirs.hgetall(key)


@given(user_id=st.text(max_size=80))
def test_entity_keys_are_feasts(user_id: str) -> None:
    theirs = EntityKey(join_keys=["user_id"], entity_values=[Value(string_val=user_id)])
    assert USERS.keys.encode(user_id) == serialize_entity_key(theirs, entity_key_serialization_version=3)


VALUES: list[tuple[Kind, st.SearchStrategy[Any], Callable[[Any], Value]]] = [
    (Kind.INT64, st.integers(-(2**63), 2**63 - 1), lambda number: Value(int64_val=number)),
    (Kind.FLOAT64, st.floats(), lambda number: Value(double_val=number)),
    (Kind.STRING, st.text(max_size=200), lambda text: Value(string_val=text)),
    (
        Kind.FLOAT32_ARRAY,
        st.binary(min_size=256, max_size=256).filter(
            lambda raw: all(number == number for number in struct.unpack("<64f", raw))
        ),
        lambda raw: Value(float_list_val=FloatList(val=struct.unpack("<64f", raw))),
    ),
]


@pytest.mark.parametrize(("kind", "strategy", "build"), VALUES)
def test_values_and_texts_are_feasts(kind: Kind, strategy: Any, build: Any) -> None:
    @given(column=st.lists(st.none() | strategy, max_size=4))
    def check(column: list[Any]) -> None:
        if kind is Kind.FLOAT32_ARRAY:
            column = [value for value in column if value is not None]
        theirs = [Value() if value is None else build(value) for value in column]
        assert values(kind, column) == [value.SerializeToString() for value in theirs]
        assert texts(kind, column) == [extract_text_and_num(value, False)[0] for value in theirs]

    check()


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_an_integer_beyond_64_bits_is_refused(number: int) -> None:
    with pytest.raises(OnlineRowError, match="64-bit"):
        values(Kind.INT64, [1, number])


@given(instant=st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)))
def test_timestamps_are_feasts(instant: datetime) -> None:
    theirs = Timestamp()
    theirs.FromDatetime(instant)
    assert timestamp(theirs.ToNanoseconds()) == theirs.SerializeToString()
    assert timestamp(theirs.ToNanoseconds() + 999) == theirs.SerializeToString()


# Configuration and history


@pytest.mark.parametrize("password", ["plain", "1e5", "true", 'a,b="c\\'])
def test_feast_is_given_the_password_as_it_is(tmp_path: Path, password: str) -> None:
    from urllib.parse import quote

    config = repo_config(tmp_path, f"rediss://me:{quote(password, safe='')}@cache:7000/3")
    nodes, params = FeastRedis._parse_connection_string(config.online_store.connection_string)
    assert nodes == [{"host": "cache", "port": "7000"}]
    assert params["password"] == password
    assert (params["username"], params["db"], params["ssl"]) == ("me", 3, True)


def test_a_protected_redis_is_read_through_feast(start_redis: Any, tmp_path: Path, make_row: Any) -> None:
    with start_redis("a,b") as server:
        url = server.url(0, "a%2Cb")
        row = make_row()
        with closing(open_online_store(url)) as online:
            online.write([row])
        feast = apply(tmp_path, url)
        assert read_users(feast, ["u1"]) == [served(row)]


def test_an_unknown_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OnlineStoreURLError, match="expected sqlite:///"):
        repo_config(tmp_path, "postgresql://host/db")


FIRST, SECOND = NOW - timedelta(days=2), NOW - timedelta(days=1)
ASKED = pandas.DataFrame({"user_id": ["u1", "u1"], "event_timestamp": [SECOND, NOW - timedelta(hours=30)]})


def write_parts(folder: Path, names: Sequence[str]) -> None:
    """Two parts of a history that have these scalars."""
    columns: dict[str, list[Any]] = {
        "user_id": ["u1", "u1"],
        "event_timestamp": [FIRST, SECOND],
        **{scalar.name: [1, 2] if scalar.integer else [0.5, None] for scalar in SCALARS if scalar.name in names},
        "event_time": [1, 2],
        "revision": [10, 20],
        "profile_vector": [[0.0] * 64, [0.125] * 64],
        **({"taste_vector": [[0.0] * 64] * 2, "titles_waiting": [0, 3]} if len(names) > len(FIRST_SCALARS) else {}),
        **{name: [1.5, 2.5] for name in ("score", "expected_spend")},
        **{name: ["a", "b"] for name in ("encoder", "tier", "scorer")},
    }
    (folder / "offline").mkdir()
    frame = pandas.DataFrame(columns)
    for part in (0, 1):
        frame.iloc[[part]].to_parquet(folder / "offline" / f"part-{part}.parquet")


@pytest.mark.parametrize(
    ("service", "names"), [(SERVICE, NAMES), (SERVICE_V2, NAMES), (SERVICE, FIRST_SCALARS)], ids=["v1", "v2", "old"]
)
def test_history_is_read_as_of_each_instant_without_naming_the_views_revision_twice(
    tmp_path: Path, service: str, names: Sequence[str]
) -> None:
    store = apply(tmp_path, f"sqlite:///{tmp_path}/online.db")
    write_parts(tmp_path, names)
    found = store.get_historical_features(
        entity_df=ASKED, features=store.get_feature_service(service), full_feature_names=True
    ).to_df()
    assert set(found) - {"user_id", "event_timestamp"} == {
        f"{view}__{name}" for view, fields in fields_of(store, service).items() for name in fields
    }
    found = found.sort_values("event_timestamp")
    assert found["user_behavior__revision"].tolist() == [10, 20]
    assert found["purchasing_power__score"].tolist() == [1.5, 2.5]
    assert found["user_profile__profile_vector"].map(lambda vector: vector[0]).tolist() == [0.0, 0.125]


def test_a_history_of_an_earlier_release_is_refused_in_one_line_for_what_it_lacks(tmp_path: Path) -> None:
    store = apply(tmp_path, f"sqlite:///{tmp_path}/online.db")
    write_parts(tmp_path, FIRST_SCALARS)
    whole: Any = store.get_feature_service(SERVICE_V2)
    missing = "found no removes_1h, .*, taste_vector, titles_waiting: fold the history anew"
    with pytest.raises(OfflineColumnsError, match=missing) as caught:
        store.get_historical_features(entity_df=ASKED, features=whole, full_feature_names=True)
    assert "\n" not in str(caught.value)
    with pytest.raises(OfflineColumnsError, match="found no removes_7d: "):
        store.get_historical_features(ASKED, ["user_behavior:removes_7d", "user_behavior:views_7d"])
    found = store.get_historical_features(ASKED, ["user_behavior:views_7d"]).to_df()
    assert sorted(found["views_7d"]) == [1, 2]
