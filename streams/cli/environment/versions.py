"""The release, and the versions that a report of a fault needs."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

_PARTS: Final = ("faust-streaming", "aiokafka", "feast", "torch", "transformers")


def versions() -> str:
    """Return the release on one line, and on the next what it runs on; nothing of it is imported."""
    parts = ", ".join(f"{name} {_version(name)}" for name in _PARTS)
    return (
        f"wherewithal {_version('wherewithal')}\nPython {platform.python_version()} on {platform.platform()}, {parts}"
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
