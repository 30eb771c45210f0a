"""A soak: texts come ten times faster than the encoder takes them, and the worker's memory has to stay flat.

`make bench PART=soak`, or with `--minutes 1` for a look. The worker is a process of its own; its resident memory is
read from /proc every two seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.brokers import fresh_broker
from benchmarks.harness import machine, report, table
from benchmarks.plots import lines as draw_lines
from chaos.harness import SCRIPT, Cluster, Worker

USERS: Final = 100
"""Few, so that each has its 128 remembered ids of a topic within the warm-up: a state grows until then."""

CHUNK: Final = 100
CHUNKS_PER_S: Final = 10
TEXTS_OF_CHUNK: Final = 80
"""800 texts/s; the rest of the 1,000 events/s are clicks."""

ENCODER_BATCH_S: Final = 0.1
TOKEN_BUDGET: Final = 256
"""With texts of about 30 tokens: some 80 texts/s, a tenth of what comes."""

CACHED_TEXTS: Final = 2000
"""No text comes twice, so the cache only fills up; at its default size of 50,000 it would do so beyond the end."""

SAMPLE_S: Final = 2.0
WARM_UP: Final = 0.3
"""Share of the run before which memory may grow: caches and users' states are being filled."""


def lines(number: int) -> list[dict[str, Any]]:
    """A chunk of events: mostly reviews, every one of another text."""
    made = []
    for position in range(CHUNK):
        event = number * CHUNK + position
        value: dict[str, Any] = {
            "event_id": f"e{event}",
            "user_id": f"user-{event * 7919 % USERS}",
            "item_id": "i",
            "timestamp": 1_764_000_000_000 + event,
        }
        if position < TEXTS_OF_CHUNK:
            made.append(
                {"topic": "reviews", "value": value | {"text": f"review number {event} of a record", "rating": 4}}
            )
        else:
            made.append({"topic": "clicks", "value": value | {"action": "view", "price": 9.5}})
    return made


async def sample(worker: Worker, samples: list[dict[str, float]]) -> None:
    """Read the worker's memory and progress until cancelled."""
    started = time.monotonic()
    while True:
        resident_kib = await asyncio.to_thread(resident, worker.process.pid)
        samples.append(
            {
                "seconds": round(time.monotonic() - started, 1),
                "resident_mib": resident_kib / 1024,
                "texts": await worker.metric("wherewithal_encoder_texts_total"),
                "events": await worker.metric("wherewithal_events_total"),
                "lag": await worker.metric("wherewithal_consumer_lag_messages"),
            }
        )
        await asyncio.sleep(SAMPLE_S)


def resident(pid: int) -> int:
    """Resident memory of a process, KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


async def soak(minutes: float) -> tuple[list[dict[str, float]], int]:
    """Run, and return the samples and the number of events published."""
    with tempfile.TemporaryDirectory(prefix="wherewithal-soak-") as folder, fresh_broker() as broker:
        cluster = await Cluster(Path(folder), broker, script=SCRIPT).open()
        try:
            slow = f"slow:{ENCODER_BATCH_S}"
            worker = cluster.start(
                chaos_encoder=slow, token_budget=TOKEN_BUDGET, stall_s=600, embedding_cache_texts=CACHED_TEXTS
            )
            await worker.ready()
            samples: list[dict[str, float]] = []
            sampling = asyncio.create_task(sample(worker, samples))
            chunks = int(minutes * 60 * CHUNKS_PER_S)
            started = time.monotonic()
            for number in range(chunks):
                await cluster.feed(lines(number))
                await asyncio.sleep(max(0.0, started + (number + 1) / CHUNKS_PER_S - time.monotonic()))
            sampling.cancel()
            return samples, chunks * CHUNK
        finally:
            await cluster.close()


def main() -> None:
    """Run the soak and write its report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    minutes = parser.parse_args().minutes
    samples, published = asyncio.run(soak(minutes))
    settled = samples[int(len(samples) * WARM_UP) :]
    first, last = settled[0], settled[-1]
    texts_per_s = (last["texts"] - first["texts"]) / (last["seconds"] - first["seconds"])
    result = {
        "machine": machine(),
        "minutes": minutes,
        "events_published": published,
        "texts_published_per_s": TEXTS_OF_CHUNK * CHUNKS_PER_S,
        "texts_encoded_per_s": texts_per_s,
        "lag_at_the_end": last["lag"],
        "resident_mib_at_the_start": samples[0]["resident_mib"],
        "resident_mib_after_warm_up": first["resident_mib"],
        "resident_mib_at_the_end": last["resident_mib"],
        "resident_mib_most": max(entry["resident_mib"] for entry in samples),
        "samples": samples,
    }
    rows = [(name.replace("_", " "), value) for name, value in result.items() if name not in ("samples", "machine")]
    report("soak", "Soak", result, table(("what", "found"), rows), plot=True)
    draw_lines(
        "soak",
        [
            {"title": "Memory", "x": "s", "y": "MiB", "series": {"resident": curve(samples, "resident_mib")}},
            {"title": "Records waiting in Kafka", "x": "s", "y": "records", "series": {"lag": curve(samples, "lag")}},
        ],
    )


def curve(samples: list[dict[str, float]], name: str) -> list[tuple[float, float]]:
    """One figure of every sample, over time."""
    return [(entry["seconds"], entry[name]) for entry in samples]


if __name__ == "__main__":
    main()
