"""The values of a shop's topics to JSON objects, or to the reason why there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from streams.encodings.encoding import Encoding
from streams.encodings.exceptions import UnreadableValueError
from streams.encodings.json_text import bare
from streams.encodings.registry import Registry
from streams.encodings.wire import MAGIC, schema_id_of
from streams.exceptions import ConfigurationError
from streams.records.rejection import Reason, Rejection
from streams.settings import MAX_RECORD_BYTES, MAX_TOPIC_BYTES, Settings

_NOTHING: Final = Rejection(Reason.MALFORMED, "record: expected a JSON object, found nothing")
_TOO_LARGE: Final = Rejection(Reason.TOO_LARGE, f"record: expected at most {MAX_RECORD_BYTES} bytes, found more")
_TOO_LARGE_AS_JSON: Final = Rejection(
    Reason.TOO_LARGE, f"record: expected one of at most {MAX_TOPIC_BYTES} bytes as JSON, found more"
)
_TURN_BYTES: Final = 1 << 18
_NO_REGISTRY: Final = (
    "expected JSON, found the wire format of Confluent (first byte 0); set WHEREWITHAL_SCHEMA_REGISTRY_URL"
)


class ValueReader:
    """Takes the values of records to JSON. It is made by `open_values`.

    Args:
        encoding: of the values.
        registry: gives the schemas of the wire format; None if there is none.
    """

    def __init__(self, encoding: Encoding, registry: Registry | None) -> None:
        self._encoding = encoding
        self._registry = registry

    async def read(self, values: Sequence[bytes | None]) -> list[bytes | Rejection]:
        """Return one JSON object in bytes for each value, without white space around it, or why there is none.

        JSON itself is not looked into further than to its first brace. The detail of a rejection quotes nothing that
        a user wrote. Values of known schemas wait for no answer of the registry.

        Raises:
            RegistryAwayError: the registry stays away longer than the settings allow.
            MissingLibraryError: what an extra brings is not installed.
        """
        found: list[bytes | Rejection] = []
        read_bytes = 0
        for value in values:
            found.append(await self._read(value))
            read_bytes += len(value or b"")
            if read_bytes >= _TURN_BYTES:
                # Large values keep nobody else of this thread waiting for long.
                await asyncio.sleep(0)
                read_bytes = 0
        return found

    async def _read(self, value: bytes | None) -> bytes | Rejection:
        if not value:
            return _NOTHING
        if len(value) > MAX_RECORD_BYTES:
            return _TOO_LARGE
        detail = ""
        try:
            if self._encoding is Encoding.JSON or (self._encoding is Encoding.AUTO and value[0] != MAGIC):
                return bare(value)
            if self._registry is None:
                raise UnreadableValueError(_NO_REGISTRY)
            schema_id = schema_id_of(value)
            known = self._registry.known(schema_id) or await self._registry.ask(schema_id)
            detail = f"schema {schema_id}: "
            if known.read is not None:
                text = known.read(value)
                return text if len(text) <= MAX_TOPIC_BYTES else _TOO_LARGE_AS_JSON
            detail += known.refused
        except UnreadableValueError as error:
            detail += str(error)
        return Rejection(Reason.MALFORMED, f"record: {detail}")


def open_values(settings: Settings, encoding: Encoding) -> ValueReader:
    """Return what reads values of an encoding. Nothing is asked before a value needs a schema.

    Raises:
        ConfigurationError: there is no registry for the wire format, or a file of its settings cannot be used.
        MissingLibraryError: what an extra brings is not installed.
    """
    if encoding is Encoding.JSON or (encoding is Encoding.AUTO and settings.schema_registry_url is None):
        return ValueReader(encoding, None)
    if settings.schema_registry_url is None:
        raise ConfigurationError(
            "WHEREWITHAL_SCHEMA_REGISTRY_URL: expected the address of the schema registry for the wire format of "
            "Confluent, found none"
        )
    return ValueReader(encoding, Registry(settings))
