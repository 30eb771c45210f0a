"""The Feast repository: the entities, views and feature services as Feast objects.

The only module that imports Feast, which costs seconds and hundreds of megabytes: import this one late. What is served
is read without it by `features.online.reading`.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from features.exceptions import OfflineColumnsError, OnlineStoreError
from features.offline_parquet import ITEMS_FOLDER, OFFLINE_FOLDER, TIMESTAMP_FIELD, absent_columns
from features.online.address import RedisAddress, SqliteAddress, parse
from features.online.item_views import ITEMS
from features.online.opening import PATIENCE_S
from features.online.user_views import CAPACITY, CAPACITY_VIEW, USERS
from features.online.views import PROJECT, Kind, Serving, View
from features.users import service_v1

# Read by the usage reporting that some Feast releases carry; nothing of ours may reach out by itself.
os.environ["FEAST_USAGE"] = "False"

from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.data_format import ParquetFormat
from feast.types import Array, Float32, Float64, Int64, String

SERVICE: Final = "purchasing_power_v1"
"""Has the fields of `features.users.service_v1`, and never others."""

SERVICE_V2: Final = "purchasing_power_v2"
"""Has every field of every view of a user, and grows with them."""

ITEM_SERVICE: Final = "item_signals_v1"
"""Has the fields of the view of an item."""

_TYPES: Final = {
    Kind.INT64: Int64,
    Kind.FLOAT64: Float64,
    Kind.STRING: String,
    Kind.FLOAT32_ARRAY: Array(Float32),
}


def entity() -> Entity:
    """Return the entity `user`, joined by the string `user_id`."""
    return _entity(USERS, "A shopper, by user id.")


def item_entity() -> Entity:
    """Return the entity `item`, joined by the string `item_id`."""
    return _entity(ITEMS, "What the shop sells, by item id.")


def _entity(serving: Serving[Any], description: str) -> Entity:
    return Entity(
        name=serving.entity, join_keys=[serving.join_key], value_type=ValueType.STRING, description=description
    )


def offline_source() -> FileSource:
    """Return the Parquet source all views of a user share; its folder need not exist until history is asked for."""
    return FileSource(
        name="purchasing_power_history",
        path=OFFLINE_FOLDER,
        file_format=ParquetFormat(),
        timestamp_field=TIMESTAMP_FIELD,
        description="Features of a user as of T, folded from the events by the code that serves them.",
    )


def item_source() -> FileSource:
    """Return the Parquet source of the view of an item."""
    return FileSource(
        name="item_signals_history",
        path=ITEMS_FOLDER,
        file_format=ParquetFormat(),
        timestamp_field=TIMESTAMP_FIELD,
        description="Features of an item as of T, folded from the events by the code that serves them.",
    )


def feature_views() -> list[FeatureView]:
    """Return the views of every user, in the order of `features.online.user_views.VIEWS`."""
    return [_feature_view(view, entity(), offline_source()) for view in USERS.views]


def capacity_view() -> FeatureView:
    """Return the view `purchasing_capacity`, which no feature service has."""
    return _feature_view(CAPACITY_VIEW, entity(), offline_source())


def item_views() -> list[FeatureView]:
    """Return the view of an item, `item_signals`."""
    return [_feature_view(view, item_entity(), item_source()) for view in ITEMS.views]


def _feature_view(view: View, of: Entity, source: FileSource) -> FeatureView:
    return FeatureView(
        name=view.name,
        entities=[of],
        schema=[
            Field(name=of.join_key, dtype=String),
            *(Field(name=feature.name, dtype=_TYPES[feature.kind]) for feature in view.features),
        ],
        source=source,
        online=True,
    )


def feature_services(views: Sequence[FeatureView]) -> list[FeatureService]:
    """Return `purchasing_power_v1` and `purchasing_power_v2` over the views of a user.

    Every view carries `revision`: read a service with `full_feature_names=True`.
    """
    frozen = [view[list(service_v1.FIELDS[view.name])] for view in views if view.name in service_v1.FIELDS]
    return [
        FeatureService(
            name=SERVICE,
            features=frozen,
            description="The fields of the first release, and never others; read with full_feature_names=True.",
        ),
        FeatureService(
            name=SERVICE_V2,
            features=list(views),
            description="All that is known of a user's purchasing power; read with full_feature_names=True.",
        ),
    ]


def item_service(views: Sequence[FeatureView]) -> FeatureService:
    """Return `item_signals_v1` over the view of an item."""
    return FeatureService(name=ITEM_SERVICE, features=list(views), description="All that is known of an item.")


class _Store(FeatureStore):  # type: ignore[misc]  # Feast has no types
    """Feast's store, which says which columns a history lacks where Feast raises a bare `KeyError`."""

    def get_historical_features(
        self, entity_df: Any = None, features: FeatureService | Sequence[str] = (), *args: Any, **kwargs: Any
    ) -> Any:
        """Read the history as Feast does.

        Raises:
            OfflineColumnsError: a part of the history lacks a column that is asked for, or no history has it.
        """
        asked = _asked_for(features)
        if any(view == CAPACITY for view, _ in asked):
            raise OfflineColumnsError(
                f"expected features that a history holds, found some of {CAPACITY}, which is served online alone: "
                "leave them out, and apply the capacity artefact to the rows instead"
            )
        for serving, name in ((USERS, OFFLINE_FOLDER), (ITEMS, ITEMS_FOLDER)):
            self._check_columns(serving, self.config.repo_path / name, asked)
        return super().get_historical_features(entity_df, features, *args, **kwargs)

    def _check_columns(self, serving: Serving[Any], folder: Path, asked: Sequence[tuple[str, str]]) -> None:
        ours = {(view.name, feature.name) for view in serving.views for feature in view.features}
        absent = absent_columns(folder, {name for view, name in asked if (view, name) in ours}, serving)
        if absent:
            narrower = f", or read {SERVICE} if its fields are enough" if serving is USERS else ""
            raise OfflineColumnsError(
                f"{folder}: expected the columns of this release, found no {', '.join(absent)}: fold the history anew "
                f"with this release into a new folder{narrower}"
            )


def _asked_for(features: FeatureService | Sequence[str]) -> list[tuple[str, str]]:
    """Return view and name of each feature."""
    if isinstance(features, FeatureService):
        return [(view.name, field.name) for view in features.feature_view_projections for field in view.features]
    # "view:feature", or with a version of the view, "view@v2:feature".
    return [(view.partition("@")[0], name) for view, _, name in (text.partition(":") for text in features)]


def repo_config(folder: Path, online_url: str, project: str = PROJECT) -> RepoConfig:
    """Return the configuration of the repository in a folder.

    Args:
        folder: where the registry and the offline Parquet parts live.
        online_url: the online store, see `features.online.address.parse`.
        project: the Feast project.

    Raises:
        OnlineStoreURLError: the URL names no store this project knows.
    """
    folder = folder.resolve()
    address = parse(online_url)
    online = _sqlite_store(address) if isinstance(address, SqliteAddress) else _redis_store(address)
    return RepoConfig(
        project=project,
        provider="local",
        registry=str(folder / "registry.db"),
        online_store=online,
        offline_store={"type": "dask"},
        repo_path=folder,
        entity_key_serialization_version=3,
    )


def apply(folder: Path, online_url: str, project: str = PROJECT) -> FeatureStore:
    """Register the objects, creating folders and tables that are missing, and return the store.

    It may be repeated, and leaves rows that are already served in place. The store raises `OfflineColumnsError` if it
    is asked for columns that the history in the folder lacks.

    Raises:
        OnlineStoreURLError: the URL names no store this project knows.
        OnlineStoreError: the online store is locked or cannot be opened.
    """
    config = repo_config(folder, online_url, project)
    config.repo_path.mkdir(parents=True, exist_ok=True)
    address = parse(online_url)
    if isinstance(address, SqliteAddress):
        # Feast creates the last folder of the path only.
        address.path.resolve().parent.mkdir(parents=True, exist_ok=True)
    store = _Store(config=config)
    views, of_items = feature_views(), item_views()
    users = [entity(), *views, capacity_view(), *feature_services(views)]
    try:
        store.apply([*users, item_entity(), *of_items, item_service(of_items)])
    except sqlite3.Error as error:
        raise OnlineStoreError(
            f"expected to create the tables of the SQLite online store, found {str(error)!r}: "
            "check the file and that no other process holds it"
        ) from error
    return store


def _sqlite_store(address: SqliteAddress) -> dict[str, Any]:
    return {"type": "sqlite", "path": str(address.path.resolve())}


def _redis_store(address: RedisAddress) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "db": address.database,
        "socket_timeout": PATIENCE_S,
        "socket_connect_timeout": PATIENCE_S,
    }
    if address.tls:
        settings["ssl"] = True
    if address.username is not None:
        settings["username"] = address.username
    if address.password is not None:
        settings["password"] = address.password
    # Feast cuts this string at every comma and then reads each value as JSON where it can: written as JSON with
    # its commas escaped, any password arrives as it is, "1e5" and "a,b" included.
    pairs = [f"{name}={json.dumps(value).replace(',', chr(92) + 'u002c')}" for name, value in settings.items()]
    return {"type": "redis", "connection_string": ",".join([f"{address.host}:{address.port}", *pairs])}
