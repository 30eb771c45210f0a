"""Asking workers over HTTP to publish every user and item again, and waiting for them."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Collection, Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from streams.exceptions import ConfigurationError, StreamsError
from streams.settings import Settings
from streams.telemetry.server import JSON
from streams.worker.republishing.progress import DONE, PATH, Progress

POLL_S: Final = 0.5

ANSWER_S: Final = 15.0
"""Seconds to wait for an answer. A worker takes less to say that its event loop does not answer."""

ATTEMPTS: Final = 3
"""How often a worker that was reached before is asked before it counts as gone."""


class RepublishError(StreamsError):
    """A worker could not be asked, ended, or lost partitions before all of its users were published."""


class _UnreachableError(RepublishError):
    """A worker could not be reached."""


def worker_url(text: str) -> str:
    """Return the address of a worker's metrics server.

    Raises:
        ValueError: the text is no such address.
    """
    parts = _split(text)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"expected http://host:port, found {text!r}")
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise ValueError(f"expected http://host:port and nothing after it, found {text!r}")
    return f"{parts.scheme}://{parts.netloc}"


def own_worker(settings: Settings) -> str:
    """Return the address of the worker of these settings.

    Raises:
        ConfigurationError: the settings leave the choice of a port to the worker.
    """
    if settings.metrics_port == 0:
        raise ConfigurationError(
            "WHEREWITHAL_METRICS_PORT: expected the port of a worker, found 0; name the worker with --worker"
        )
    # An address that means "listen everywhere" cannot be connected to.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.metrics_host, settings.metrics_host)
    return f"http://[{host}]:{settings.metrics_port}" if ":" in host else f"http://{host}:{settings.metrics_port}"


def republish(
    workers: Sequence[str], users_per_s: int | None, watched: Callable[[Sequence[Progress]], None]
) -> list[Progress]:
    """Have workers publish every user and item of their partitions again, and wait until they have.

    Args:
        workers: addresses of the workers' metrics servers; together the workers must own every partition of each stage
            that one of them runs.
        users_per_s: the greatest rate of each worker; None for the worker's own setting.
        watched: called with the workers' progress again and again.

    Returns:
        The progress of each worker at its end.

    Raises:
        RepublishError: a worker could not be asked, ended in between, or a partition was not gone through.
    """
    body = msgspec.json.encode({} if users_per_s is None else {"users_per_s": users_per_s})
    # All workers are asked before any is waited for. A worker that has begun goes on even if another one fails.
    known = [_ask(url, "POST", body) for url in workers]
    while True:
        watched(known)
        if all(progress.state == DONE for progress in known):
            break
        time.sleep(POLL_S)
        known = [
            before if before.state == DONE else _watch(url, before) for url, before in zip(workers, known, strict=True)
        ]
    _check_all_gone_through(known)
    return known


def _watch(url: str, before: Progress) -> Progress:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            now = _ask(url, "GET")
            break
        except _UnreachableError:
            if attempt == ATTEMPTS:
                raise
            time.sleep(POLL_S)
    if now.worker != before.worker:
        raise RepublishError(
            f"expected the worker at {url} to publish all of its users, found another process there: it was started "
            "anew in between; run the command again"
        )
    return now


def _check_all_gone_through(found: Sequence[Progress]) -> None:
    users = {number for progress in found for number in progress.finished}
    items = {number for progress in found for number in progress.items_finished}
    _check_through("", users, max(progress.of_partitions for progress in found))
    _check_through(" of items", items, max(progress.of_item_partitions for progress in found))


def _check_through(what: str, through: Collection[int], partitions: int) -> None:
    missing = sorted(set(range(partitions)) - set(through))
    if missing:
        numbers = ", ".join(map(str, missing))
        raise RepublishError(
            f"expected every partition{what} to be gone through, found {numbers} left out: name every worker with "
            "--worker, and if partitions moved in between, run the command again"
        )


def _ask(url: str, method: str, body: bytes | None = None) -> Progress:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=ANSWER_S)
    try:
        connection.request(method, PATH, body, {} if body is None else {"Content-Type": JSON})
        answer = connection.getresponse()
        said = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise _UnreachableError(
            f"expected a worker at {url} to answer, found {error.__class__.__name__}: check that it runs and that "
            "WHEREWITHAL_METRICS_HOST and WHEREWITHAL_METRICS_PORT, or --worker, are its own; what a worker has begun "
            "it goes on with as long as it runs"
        ) from error
    finally:
        connection.close()
    try:
        if answer.status in (200, 202):
            return msgspec.json.decode(said, type=Progress)
        reason = msgspec.json.decode(said, type=dict[str, str])["reason"]
    except (msgspec.DecodeError, KeyError):
        reason = f"status {answer.status}, which is none of a worker's of this release"
    raise RepublishError(f"expected the worker at {url} to publish its users, found: {reason}")


def _split(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    return parts
