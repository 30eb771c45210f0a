"""Values of Avro (1.12) to JSON, by fastavro."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from typing import Any, Final

import orjson

from models.libraries import REGISTRY, library
from streams.encodings import avro_bounds
from streams.encodings.avro_types import READERS, NotFiniteError, rewritten
from streams.encodings.exceptions import UnreadableSchemaError, UnreadableValueError
from streams.encodings.schema import Schema
from streams.encodings.wire import HEADER_BYTES
from streams.exceptions import MalformedJSONError
from streams.records.strict_json import loads

_TOP: Final = "value"
"""The one field of a record around every value, which takes no bytes: a schema may be a union, or a type's name."""

_OTHER_BYTES: Final = (
    *(ArithmeticError, AttributeError, LookupError, TypeError, ValueError),
    MemoryError,
)
"""What fastavro and its readers of logical types raise for bytes that are not of the schema, beside `EOFError`."""


def avro_reader(schema: Schema) -> Callable[[bytes], bytes]:
    """Return what takes values in the wire format to JSON objects, and raises `UnreadableValueError`.

    Raises:
        UnreadableSchemaError: it is no schema of Avro, or one that is refused.
        MissingLibraryError: fastavro is not installed.
    """
    fastavro = library("fastavro", REGISTRY)
    fastavro.read.LOGICAL_READERS.update(READERS)
    parsed, recursive = _parsed(fastavro, schema)
    if recursive:
        # The compiled reader calls itself in C, and a value that nests deeply enough would end the process.
        slow = library("fastavro._read_py", REGISTRY)
        return _reader(lambda file: slow.schemaless_reader(file, parsed, None))
    read = fastavro.schemaless_reader
    return _reader(lambda file: read(file, parsed, None))


def _parsed(fastavro: Any, schema: Schema) -> tuple[Any, bool]:
    """Return a schema as fastavro takes it, and whether one of its types holds itself."""
    named: dict[str, Any] = {}
    try:
        for text in schema.references.values():
            fastavro.parse_schema(rewritten(loads(text.encode())), named_schemas=named)
        top = {
            "type": "record",
            "name": "wherewithal.Value",
            "fields": [{"name": _TOP, "type": rewritten(loads(text_of(schema).encode()))}],
        }
        parsed = fastavro.parse_schema(top, named_schemas=named)
        return parsed, avro_bounds.check(parsed, named)
    except UnreadableSchemaError:
        raise
    except MalformedJSONError as error:
        raise UnreadableSchemaError(f"expected a schema in JSON: {error}") from None
    except (AttributeError, LookupError, TypeError, ValueError, fastavro.schema.SchemaParseException) as error:
        raise UnreadableSchemaError(f"expected a schema of Avro, found another ({type(error).__name__})") from error


def text_of(schema: Schema) -> str:
    """Return the JSON of a schema; registries give that of a primitive type or of a name without its quotes."""
    text = schema.text.strip()
    return text if text[:1] in ('"', "{", "[") else f'"{text}"'


def _reader(read: Callable[[BytesIO], Any]) -> Callable[[bytes], bytes]:
    def json_of(value: bytes) -> bytes:
        file = BytesIO(value)
        file.seek(HEADER_BYTES)
        fault = ""
        found: Any = None
        try:
            found = read(file)[_TOP]
        except EOFError:
            fault = "found fewer bytes"
        except NotFiniteError:
            fault = "found NaN or an infinite number, which JSON lacks"
        except RecursionError:
            fault = "found one that nests too deeply"
        except UnreadableValueError:
            raise
        except _OTHER_BYTES:
            fault = "found bytes of something else"
        if fault:
            # Raised outside the handlers: the caught errors may hold what a user wrote.
            raise UnreadableValueError(f"expected a value of its Avro schema, {fault}")
        if file.tell() != len(value):
            raise UnreadableValueError("expected a value of its Avro schema, found more bytes behind it")
        if type(found) is not dict:
            raise UnreadableValueError("expected a record or a map of Avro, found another type")
        try:
            return orjson.dumps(found, _as_text, orjson.OPT_SERIALIZE_NUMPY)
        except orjson.JSONEncodeError:
            pass
        raise UnreadableValueError("expected a value of its Avro schema, found one that nests too deeply")

    return json_of


def _as_text(value: object) -> str:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    raise TypeError
