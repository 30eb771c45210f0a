"""The schema registry: waited for as long as the settings allow, and not asked twice for the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from streams.encodings.avro import avro_reader
from streams.encodings.exceptions import UnreadableSchemaError
from streams.encodings.json_text import behind_header
from streams.encodings.protobuf import protobuf_reader
from streams.encodings.registry_client import RegistryClient, RegistryFaultError
from streams.encodings.schema import Kind, Schema
from streams.exceptions import RegistryAwayError, RegistryRefusalError
from streams.log import log
from streams.settings import Settings

REFUSED_S: Final = 60.0
"""How long a schema that was refused is not asked for again: it may be registered later, or be repaired."""

MAX_KNOWN: Final = 1_000
"""Schemas that are remembered, refused ones too: whoever sends ids at random takes no more memory."""

_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 5.0
_SAID_AGAIN_S: Final = 60.0


class Known(NamedTuple):
    """What is known of a schema.

    Attributes:
        read: takes a value in the wire format to a JSON object and raises `UnreadableValueError`; None if the schema
            is refused.
        refused: why it is refused.
        until: when it is asked for again, by the monotonic clock, in seconds.
    """

    read: Callable[[bytes], bytes] | None
    refused: str = ""
    until: float = float("inf")


class Registry:
    """Remembers the schemas of a registry, by id. An id never comes to mean another schema.

    Args:
        settings: whose URL of the registry is set.
        clock: monotonic, in seconds.

    Raises:
        ConfigurationError: a file of the settings cannot be used.
        MissingLibraryError: the libraries of the extra are not installed.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = RegistryClient(settings)
        self._patience_s = settings.schema_registry_patience_s
        self._clock = clock
        self._known: dict[int, Known] = {}
        self._asking = asyncio.Lock()

    def known(self, schema_id: int) -> Known | None:
        """Return what is known of a schema; None if it has to be asked for."""
        found = self._known.get(schema_id)
        return None if found is None or found.until <= self._clock() else found

    async def ask(self, schema_id: int) -> Known:
        """Return what is known of a schema, and ask the registry if that is nothing.

        Raises:
            RegistryAwayError: the registry stays away.
        """
        # One at a time: whoever waits for the same schema finds it known then.
        async with self._asking:
            found = self.known(schema_id)
            if found is None:
                found = await self._learnt(schema_id)
                self._known.pop(schema_id, None)
                if len(self._known) >= MAX_KNOWN:
                    del self._known[next(iter(self._known))]
                self._known[schema_id] = found
            return found

    async def _learnt(self, schema_id: int) -> Known:
        try:
            return Known(await _reader(await self._fetched(schema_id)))
        except UnreadableSchemaError as error:
            return Known(None, str(error), self._clock() + REFUSED_S)

    async def _fetched(self, schema_id: int) -> Schema:
        ends = self._clock() + self._patience_s
        said = float("-inf")
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                schema = await self._client.schema(schema_id)
            except RegistryFaultError as error:
                fault = error
            else:
                if said > float("-inf"):
                    log.info("the schema registry is back", registry=self._client.named)
                return schema
            if fault.lasting:
                raise RegistryRefusalError(fault.what)
            if self._clock() + pause_s >= ends:
                raise RegistryAwayError(
                    f"{fault.what}, for {self._patience_s:g} s; start again when it is back, or raise "
                    "WHEREWITHAL_SCHEMA_REGISTRY_PATIENCE_S"
                )
            if self._clock() - said >= _SAID_AGAIN_S:
                log.warning("waiting for the schema registry", schema=schema_id, why=fault.what)
                said = self._clock()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


async def _reader(schema: Schema) -> Callable[[bytes], bytes]:
    match schema.kind:
        case Kind.AVRO:
            # In a thread: the schema may be long.
            return await asyncio.to_thread(avro_reader, schema)
        case Kind.PROTOBUF:
            return await protobuf_reader(schema)
        case Kind.JSON:
            return behind_header
