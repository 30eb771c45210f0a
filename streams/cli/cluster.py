"""Settings of the commands that work on a cluster and have no broker of their own."""

from __future__ import annotations

from streams.exceptions import ConfigurationError
from streams.settings import Settings, load_settings


def load_cluster_settings(purpose: str) -> Settings:
    """Load the settings of a command that needs a running broker.

    Args:
        purpose: what the command needs the broker for, such as "to read from".

    Raises:
        ConfigurationError: the settings name no broker, or cannot be used.
    """
    settings = load_settings()
    if settings.embedded:
        raise ConfigurationError(f"WHEREWITHAL_BROKER: expected kafka://host:port, found no broker {purpose}")
    return settings
