"""What is served as any reader gets it: through plain Feast, which shares nothing with our own reader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from feast import FeatureStore

from features.online.item_views import JOIN_KEY as ITEM_KEY
from features.online.item_views import VIEW as ITEM_VIEW
from features.online.user_views import BEHAVIOR, JOIN_KEY, VIEWS
from features.repository import ITEM_SERVICE, SERVICE_V2, apply
from features.users.catalogue import NAMES
from streams.settings import Settings

_USERS_PER_READ: Final = 100


def served_features(settings: Settings, folder: Path, users: Sequence[str]) -> list[dict[str, Any]]:
    """Return the features of these users as `replay --features` writes them."""
    kept = ("user_id", "event_time", "revision", *NAMES, "profile_vector", "encoder", "taste_vector", "titles_waiting")
    return [{name: row[name] for name in kept} for row in read_users(apply(folder, settings.online_url), users)]


def served_items(settings: Settings, folder: Path, item_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what is served of these items, by item; those of which nothing is are left out."""
    store = apply(folder, settings.online_url)
    answer = store.get_online_features(
        features=store.get_feature_service(ITEM_SERVICE),
        entity_rows=[{ITEM_KEY: item_id} for item_id in item_ids],
    ).to_dict(include_event_timestamps=True)
    names = [feature.name for feature in ITEM_VIEW.features]
    return {
        item_id: {name: answer[name][place] for name in names}
        for place, item_id in enumerate(item_ids)
        if answer["revision__ts"][place]
    }


def read_users(store: FeatureStore, user_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Read what `features.online.reading.read_users` reads."""
    service = store.get_feature_service(SERVICE_V2)
    users: list[dict[str, Any]] = []
    pending = iter(dict.fromkeys(user_ids))
    while batch := list(islice(pending, _USERS_PER_READ)):
        response = store.get_online_features(
            features=service,
            entity_rows=[{JOIN_KEY: user_id} for user_id in batch],
            full_feature_names=True,
        )
        users += _known(batch, response.to_dict(include_event_timestamps=True))
    return users


def _known(user_ids: Sequence[str], answer: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    written = answer[f"{BEHAVIOR}__revision__ts"]
    for position, user_id in enumerate(user_ids):
        # Redis calls an unknown user's values PRESENT and SQLite NOT_FOUND; both give them the timestamp 0.
        if not written[position]:
            continue
        user: dict[str, Any] = {JOIN_KEY: user_id}
        for view in VIEWS:
            for feature in view.features:
                # The first view's revision stands for the row's.
                user.setdefault(feature.name, answer[f"{view.name}__{feature.name}"][position])
        user["revisions"] = {view.name: answer[f"{view.name}__revision"][position] for view in VIEWS}
        yield user
