"""Whether a worker could start and work here: looked at, one thing after the other, without starting one.

Nothing is consumed, no group is joined, no topic made and no state written. What only a start shows is left out:
whether logs reach as far as the state.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial

from features.exceptions import FeaturesError
from features.online.probing import probe, writable
from models.exceptions import ModelsError
from streams.broker.topics.provisioning import Cluster
from streams.exceptions import ConfigurationError, StreamsError
from streams.inference.active_capacity import PURPOSE
from streams.inference.loading import artefact_folder, load_inference
from streams.inference.sentiment import artefact_for, weakness_of
from streams.operating.checking.cluster import cluster_findings
from streams.operating.checking.finding import Finding
from streams.settings import Settings, StateStore
from streams.telemetry.metrics import Metrics
from streams.worker.consuming.static_member import check_place
from streams.worker.lifecycle.state_lock import check_lock
from streams.worker.stage_spec import USERS, specs_of
from streams.worker.state.binding import is_bound


async def findings(settings: Settings) -> AsyncIterator[Finding]:
    """Yield what is found about broker, topics, rights, state folder, online store, models and metrics port."""
    found, cluster = await cluster_findings(settings)
    for finding in found:
        yield finding
    if cluster is not None and settings.group_instance_id is not None:
        identity = cluster.identity
        yield _found("instance id", lambda: check_place(settings, identity) or "")
    for spec in specs_of(settings):
        what = "state folder" if spec is USERS else f"state folder of {spec.name}"
        yield _found(what, partial(_of_state, spec.own_settings(settings), cluster))
    yield await asyncio.to_thread(_found, "online store", lambda: _of_store(settings))
    yield await asyncio.to_thread(_found, "models", lambda: _of_models(settings))
    for optional in _of_folders(settings):
        yield optional
    yield _found("metrics port", lambda: _of_port(settings))


def _found(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, look())
    except (StreamsError, FeaturesError, ModelsError) as error:
        return Finding(what, False, str(error))


def _of_state(settings: Settings, cluster: Cluster | None) -> str:
    if settings.state_store is not StateStore.ROCKSDB:
        return "in memory, read from the changelog at every start"
    folder = settings.state_dir.absolute()
    if not writable(folder):
        raise ConfigurationError(
            f"WHEREWITHAL_STATE_DIR: expected a folder that can be written, found {folder}; name another, or mend its "
            "rights"
        )
    check_lock(settings)
    if cluster is None:
        return f"{folder}, its binding not looked at, because the broker tells no number of partitions to compare with"
    if is_bound(settings, cluster):
        return f"{folder}, bound to this cluster"
    return f"{folder}, {'bound to no cluster yet' if folder.exists() else 'made at the start'}"


def _of_store(settings: Settings) -> str:
    try:
        risks = probe(settings.online_url)
    except FeaturesError as error:
        raise ConfigurationError(f"WHEREWITHAL_ONLINE_STORE: {error}") from error
    return "can be written" + "".join(f"; a warning: {risk}" for risk in risks)


def _of_models(settings: Settings) -> str:
    inference = load_inference(settings, Metrics())
    fitted = "fitted to it" if inference.fitted else "not fitted to it: scores come from behaviour alone, as degraded"
    said = f"encoder {inference.encoder}, scorer {inference.artefact.version} of {artefact_folder(settings)}, {fitted}"
    if (estimating := inference.estimating) is not None:
        how = (
            "fitted to it"
            if estimating.fitted
            else "not fitted to it: estimates come from behaviour alone, as degraded"
        )
        said += f"; capacity {estimating.version} of {settings.capacity_artefact}, {how}; {PURPOSE}"
    head = artefact_for(settings.sentiment_artefact, inference.loaded)
    if head is None:
        return f"{said}; reviews have no polarity"
    weak = weakness_of(head)
    return f"{said}; reviews have their polarity by {head.polarity.identity}{f'; {weak}' if weak else ''}"


def _of_folders(settings: Settings) -> Iterator[Finding]:
    if settings.shadow_artefact:
        there = artefact_folder(settings.model_copy(update={"artefact": settings.shadow_artefact})).is_dir()
        advice = "WHEREWITHAL_SHADOW_ARTEFACT: expected a folder, found none; make it, or unset the variable"
        yield Finding("shadow", there, settings.shadow_artefact if there else advice)
    if settings.served_log is not None:
        fit = writable(settings.served_log.absolute())
        advice = "WHEREWITHAL_SERVED_LOG: expected a folder that can be written, found another; name one"
        yield Finding("log of what is served", fit, str(settings.served_log) if fit else advice)


def _of_port(settings: Settings) -> str:
    host, port = settings.metrics_host, settings.metrics_port
    try:
        with socket.socket() as probing:
            probing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probing.bind((host, port))
    except OSError as error:
        raise ConfigurationError(
            f"WHEREWITHAL_METRICS_HOST, WHEREWITHAL_METRICS_PORT: expected to listen on {host}:{port}, found "
            f"{error.strerror or error}; name another"
        ) from error
    return f"{host}:{port}" if port else f"{host}, any free port"
