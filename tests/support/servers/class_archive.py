"""What every node of Apache Kafka and every tool of it does first, done once: loading classes, and formatting a disk.

The classes of a node lie in an archive of the JVM's (AppCDS), which halves the start of nodes and tools. A formatted
disk is copied, instead of being made by a JVM of its own. Both lie in pytest's cache, for this Java and these jars.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from support.paths import ROOT

_KEPT: Final = ROOT / ".pytest_cache" / "d" / "kafka"


@cache
def prepared(libraries: Path, prepare: Callable[[Path], None]) -> Path:
    """Return the folder of what is prepared for these jars; `prepare` fills a folder, the first time of all."""
    java = Path(shutil.which("java") or "java").resolve()
    described = [(path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in [java, *libraries.iterdir()]]
    folder = _KEPT / hashlib.sha256(repr((str(libraries), sorted(described))).encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "done"
    with (folder / "lock").open("w") as lock:
        # Other processes of the tests need it at the same moment.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            prepare(folder)
            done.touch()
    return folder


def formatted(template: Path, disk: Path, node: int) -> None:
    """Make the disk of a node, with an identity of its own, from one that Kafka has formatted."""
    shutil.copytree(template, disk)
    own = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
    meta = disk / "meta.properties"
    kept = [line for line in meta.read_text().splitlines() if not line.startswith(("node.id=", "directory.id="))]
    meta.write_text("\n".join([*kept, f"node.id={node}", f"directory.id={own}"]) + os.linesep)
