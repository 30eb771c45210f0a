"""The commands of a cluster, run together: a broker, a worker, and what reads its scores."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from support.command import VIEW, begin, end, here, poll, refused, write_lines
from support.servers.brokers import Broker

from streams.broker.publisher import Publisher
from streams.broker.topics.provisioning import make_topics
from streams.contract import SCORES, topic_name
from streams.records.outgoing import Outgoing
from streams.settings import load_settings


def test_the_embedded_broker_can_be_run_by_itself(events: Path) -> None:
    broker = begin("broker", "--port", "0")
    assert broker.stdout is not None
    try:
        line = broker.stdout.readline()
        assert line.startswith("export WHEREWITHAL_BROKER=kafka://127.0.0.1:")
        url = line.strip().partition("=")[2]
        code, out, err = here("produce", events, WHEREWITHAL_BROKER=url)
        assert (code, err) == (0, "")
        assert "1 events" in out
        assert "found it taken" in refused(1, "broker", "--port", url.rpartition(":")[2])
        broker.send_signal(signal.SIGINT)
    finally:
        code, _, _ = end(broker)
    assert code == 0


def test_a_worker_scores_what_is_produced_and_leaves_when_told(
    broker: Broker, unused_port: int, tmp_path: Path, events: Path
) -> None:
    cluster = {
        **broker.environment,
        "WHEREWITHAL_PARTITIONS": "2",
        "WHEREWITHAL_SESSION_TIMEOUT_S": "3",
        "WHEREWITHAL_HEARTBEAT_INTERVAL_S": "0.3",
        "WHEREWITHAL_METRICS_PORT": str(unused_port),
        "WHEREWITHAL_STATE_DIR": str(tmp_path / "state"),
    }
    write_lines(events, [{"topic": "clicks", "value": VIEW | {"user_id": "a-quite-secret-id"}}, "no object"])
    worker = begin("worker", **cluster)
    try:
        code, out, err = here("produce", events, "--json", **cluster)
        account = json.loads(out)
        assert [kind["count"] for kind in account.pop("refused")] == [1]
        assert account.pop("left_out") == []
        assert (code, account, err) == (0, {"events": 2, "erasures": 0, "dead_letters": 1}, "")
        poll(lambda: worker.poll() is not None or ready(unused_port))
        scored: list[dict[str, Any]] = []

        def has_score() -> bool:
            code, out, err = here("scores", "--json", **cluster)
            assert (code, err) == (0, "")
            scored[:] = [json.loads(line) for line in out.splitlines()]
            return bool(scored)

        poll(has_score)
        assert [(score["user_id"], score["revision"]) for score in scored] == [("a-quite-secret-id", 1)]
        served: list[str] = []

        def has_row() -> bool:
            # A score may precede its row by the freshness deadline.
            code, out, _ = here("features", "a-quite-secret-id", "--json", **cluster)
            served[:] = [out]
            return code == 0

        poll(has_row)
        row = json.loads(served[0])
        assert (row["user_id"], row["views_30d"], row["revision"]) == ("a-quite-secret-id", 0, 1)
        assert row["event_time"] > VIEW["timestamp"], "a worker speaks of the wall clock"
        assert refused(1, "features", "nobody", **cluster).endswith("knows no such user")
        worker.send_signal(signal.SIGTERM)
    finally:
        code, out, err = end(worker)
    assert (code, out) == (0, ""), err
    logged = [json.loads(line) for line in err.splitlines()]
    assert {"ready", "left"} <= {entry["message"] for entry in logged}
    assert "a-quite-secret-id" not in err


def ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def test_following_scores_shows_erasures_too_as_json_when_asked(broker: Broker) -> None:
    settings = load_settings(broker=broker.url, partitions=1)
    score = {"user_id": "u", "score": 5.0, "tier": "low", "expected_spend": 1.0, "revision": 1, "reasons": []}

    async def publish(records: list[Outgoing]) -> None:
        publisher = Publisher(settings)
        await publisher.start()
        await (await publisher.send(topic_name(settings, SCORES), 0, records)).acknowledged()
        await publisher.stop()

    asyncio.run(make_topics(settings))
    following = begin("scores", "--follow", "--json", PYTHONUNBUFFERED="1", **broker.environment)
    assert following.stdout is not None
    try:
        # It shows what comes after its start, and nothing says when that was.
        told, output = b"", following.stdout.fileno()
        os.set_blocking(output, False)

        def shown() -> bool:
            nonlocal told
            asyncio.run(publish([Outgoing(b"u", json.dumps(score).encode()), Outgoing(b"u", None)]))
            with suppress(BlockingIOError):
                while part := os.read(output, 1 << 16):
                    told += part
            # The end of a line comes by itself, after what stands on it.
            return told.count(b"\n") >= 2

        poll(shown)
    finally:
        following.send_signal(signal.SIGINT)
        os.set_blocking(following.stdout.fileno(), True)
        code, _, err = end(following)
    assert (code, err) == (130, "")
    assert [json.loads(line) for line in told.splitlines()[:2]] == [score, {"user_id": "u", "erased": True}]
