"""What a Redis may lose by its own settings: rows that it evicts, and all of them at a restart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_EVICTS_ANY_KEY: Final = "allkeys-"
"""How the policies begin that evict keys without a time to live, as rows and fences are."""


def risks(info: Mapping[str, Any] | None, save: str | None) -> list[str]:
    """Return one line per risk, which says what was expected, what was found and what to do.

    Args:
        info: the sections `memory` and `persistence` of INFO; None where the server refuses it.
        save: the setting `save`, empty for no snapshots; None where the server refuses CONFIG, as managed ones do.
    """
    if info is None:
        return [
            "expected to read how Redis evicts and persists, found INFO refused: see for yourself that "
            "maxmemory-policy is noeviction and that snapshots or the append-only file are on"
        ]
    return [line for line in (_eviction(info), _persistence(info, save)) if line is not None]


def _eviction(info: Mapping[str, Any]) -> str | None:
    policy, limit = str(info.get("maxmemory_policy", "")), int(info.get("maxmemory", 0))
    if not limit or not policy.startswith(_EVICTS_ANY_KEY):
        return None
    return (
        f"expected a Redis that evicts no row, found maxmemory-policy {policy} with maxmemory {limit} bytes: an "
        "evicted row is not served, and an evicted fence lets an older row return; set noeviction, or a volatile-* "
        "policy, which leaves rows and fences alone"
    )


def _persistence(info: Mapping[str, Any], save: str | None) -> str | None:
    if int(info.get("aof_enabled", 0)) or save:
        return None
    found = "neither (save is empty, appendonly is no)"
    if save is None:
        found = "no append-only file, and CONFIG refused, so that snapshots cannot be seen"
    return (
        f"expected a Redis with snapshots or an append-only file, found {found}: a restart without them loses every "
        "row; turn one on, or run `wherewithal republish` after every restart of Redis"
    )
