"""The CPU time of a process by the work of its threads, and what it reads and writes on disks, as Linux counts them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_BEHIND_NAME: Final = 2
"""The fields of `stat` in front of what follows the name: the number and the name itself."""

_USER, _SYSTEM = 14 - _BEHIND_NAME - 1, 15 - _BEHIND_NAME - 1


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process, s."""
    return _seconds(Path(f"/proc/{pid}/stat").read_text())


def cpu_by_thread(pid: int) -> dict[str, float]:
    """Return the CPU time of a Python process, s: of its main thread, of RocksDB's, and of all others."""
    parts = {"main": 0.0, "others": 0.0, "rocksdb": 0.0}
    for folder in Path(f"/proc/{pid}/task").iterdir():
        try:
            stat = (folder / "stat").read_text()
        except FileNotFoundError:
            continue  # It has ended.
        kind = "main" if int(folder.name) == pid else "rocksdb" if "(rocksdb" in stat else "others"
        parts[kind] += _seconds(stat)
    return parts


def written_bytes(pid: int) -> int:
    """Return how many bytes a process had written to disks."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


def resident_mib(pid: int) -> float:
    """Return the most memory that a process has held at once, MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _seconds(stat: str) -> float:
    # A name may have spaces and brackets in it.
    fields = stat.rpartition(") ")[2].split()
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS_PER_S
