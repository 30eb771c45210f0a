"""The compose files as Compose puts them together, as far as they use it: overlays, `extends`, `$$`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from support.paths import ROOT

DEPLOY: Final = ROOT / "deploy"
ONE_NODE: Final = (DEPLOY / "compose.yaml",)
THREE_NODES: Final = (*ONE_NODE, DEPLOY / "compose.cluster.yaml")

Document = dict[str, Any]


def composed(files: tuple[Path, ...]) -> Document:
    """The document that some files make, each laid over those before it."""
    whole: Document = {}
    for file in files:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        for service in document["services"].values():
            if "extends" in service:
                extended = service.pop("extends")
                base = composed((file.parent / extended["file"],))["services"][extended["service"]]
                service |= _over(base, service)
        whole = _over(whole, document)
    return whole


def unescaped(environment: Document) -> dict[str, str]:
    """Variables as a container gets them."""
    return {name: value.replace("$$", "$") for name, value in environment.items()}


def _over(below: Document, above: Document) -> Document:
    found = dict(below)
    for name, value in above.items():
        if isinstance(value, dict):
            found[name] = _over(below.get(name, {}), value)
        elif name == "volumes":
            # One mount for each place in the container.
            mounts = {mount.split(":")[1]: mount for mount in (*below.get(name, ()), *value)}
            found[name] = list(mounts.values())
        else:
            found[name] = value
    return found
