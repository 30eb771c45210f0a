"""The online store of a worker, opened and looked at before anything is written."""

from __future__ import annotations

from features.exceptions import OnlineStoreError, OnlineStoreURLError
from features.online.opening import open_online_store
from features.online.store import OnlineStore
from streams.exceptions import ConfigurationError, StreamsError
from streams.log import log
from streams.settings import Settings
from streams.worker.stage_spec import StageSpec


def open_store(settings: Settings, spec: StageSpec) -> OnlineStore:
    """Open the store that the settings name, and warn of what it may lose.

    Args:
        settings: that name it.
        spec: of the stage whose rows are written.

    Raises:
        ConfigurationError: the settings name no store.
        StreamsError: the store cannot be used.
    """
    try:
        store = open_online_store(settings.online_url, serving=spec.serving)
        store.ping()
        for risk in store.risks():
            log.warning("the online store may lose rows", reason=risk)
    except OnlineStoreURLError as error:
        raise ConfigurationError(f"WHEREWITHAL_ONLINE_STORE: {error}") from error
    except OnlineStoreError as error:
        raise StreamsError(f"WHEREWITHAL_ONLINE_STORE: {error}") from error
    return store
