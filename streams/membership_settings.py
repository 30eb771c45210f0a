"""Settings of a worker's place in its group across restarts, a part of `streams.settings.Settings`."""

from __future__ import annotations

import socket
from enum import StrEnum
from typing import Final

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from streams.exceptions import ConfigurationError

HOSTNAME: Final = "@hostname"
"""The value of `group_instance_id` that takes the name of the machine; no id may hold an `@`."""

MAX_INSTANCE_ID: Final = 249
"""Characters of an instance id in Kafka's own clients."""


class LeaveGroup(StrEnum):
    """What a worker with an instance id does with its place in the group when it is told to end."""

    NEVER = "never"
    """Keeps it for a session timeout: the worker will be back."""

    ALWAYS = "always"
    """Gives it up: the worker leaves for good."""


class MembershipSettings(BaseSettings):
    """Static membership: a worker that restarts under the same instance id keeps its partitions."""

    group_instance_id: str | None = Field(
        None, description=f"name of this worker that outlives a restart, or `{HOSTNAME}`; default: none"
    )
    leave_group: LeaveGroup = Field(
        LeaveGroup.NEVER, description="`never` or `always`: whether a worker with an instance id leaves when it ends"
    )

    @field_validator("group_instance_id")
    @classmethod
    def _legal_id(cls, value: str | None) -> str | None:
        if value is None or value == HOSTNAME:
            return value
        try:
            return check_instance_id(value)
        except ValueError as error:
            raise ValueError(f"{error} (`{HOSTNAME}` takes the name of the machine)") from None


def check_instance_id(text: str) -> str:
    """Return an instance id.

    Raises:
        ValueError: Kafka takes none of these characters, or not as many.
    """
    legal = text.isascii() and all(char.isalnum() or char in "._-" for char in text)
    if not legal or not 1 <= len(text) <= MAX_INSTANCE_ID or text in (".", ".."):
        raise ValueError(f"expected 1 to {MAX_INSTANCE_ID} letters, digits, '.', '_' and '-', found {text[:80]!r}")
    return text


def instance_id(settings: MembershipSettings) -> str | None:
    """Return the instance id of this worker; None for a worker whose place ends with its process.

    Raises:
        ConfigurationError: it is to be the name of the machine, which Kafka does not take.
    """
    if settings.group_instance_id != HOSTNAME:
        return settings.group_instance_id
    try:
        return check_instance_id(socket.gethostname())
    except ValueError as error:
        raise ConfigurationError(
            f"WHEREWITHAL_GROUP_INSTANCE_ID: of the machine's name, {error}: give this worker an id itself"
        ) from None
