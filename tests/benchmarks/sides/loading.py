"""What it takes to load an encoder, in a process of its own: `python -m benchmarks.sides.loading '{"name": ...}'`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

# What every encoder needs, and what would else be counted as part of loading the first.
from transformers import AutoModel, AutoTokenizer  # noqa: F401

from models.encoder.bert import BertEncoder
from models.encoder.locate import locate


def resident_mb() -> float:
    """Return the resident memory of this process."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def main() -> None:
    """Load the encoder that is named and print what it took."""
    name = json.loads(sys.argv[1])["name"]
    began = time.perf_counter()
    # Made here where it is not in the cache yet.
    folder = locate(name)
    located = time.perf_counter()
    before, busy = resident_mb(), time.process_time()
    encoder = BertEncoder.load(name, device="cpu")
    loaded, busy = time.perf_counter(), time.process_time() - busy
    encoder.warm_up()
    print(
        json.dumps(
            {
                "conversion_s": located - began,
                "load_s": loaded - located,
                "load_cpu_s": busy,
                "memory_before_mb": before,
                "memory_mb": resident_mb(),
                "disk_mb": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6,
            }
        )
    )


if __name__ == "__main__":
    main()
