"""Values of Protobuf to JSON, by Google's own runtime."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

import orjson

from models.libraries import REGISTRY, library
from streams.encodings.exceptions import UnreadableSchemaError, UnreadableValueError
from streams.encodings.protobuf_compiling import ROOT, compiled
from streams.encodings.protobuf_messages import Messages
from streams.encodings.schema import Schema
from streams.encodings.wire import message_indexes

_Parts: TypeAlias = tuple[Callable[[bytes], Any], Callable[[Any], Any]]


async def protobuf_reader(schema: Schema) -> Callable[[bytes], bytes]:
    """Return what takes values in the wire format to JSON objects, and raises `UnreadableValueError`.

    Raises:
        UnreadableSchemaError: it is no schema of Protobuf.
        MissingLibraryError: the compiler or the runtime is not installed.
    """
    files = await compiled(schema)
    # In a thread: there may be thousands of types.
    return await asyncio.to_thread(_made, files)


def _made(files: Any) -> _Reader:
    pool = library("google.protobuf.descriptor_pool", REGISTRY).DescriptorPool()
    try:
        for file in files.file:
            pool.Add(file)
        return _Reader(pool, pool.FindFileByName(ROOT))
    except (TypeError, KeyError) as error:
        raise UnreadableSchemaError("expected a Protobuf schema, found one that the runtime does not take") from error
    except RecursionError:
        raise UnreadableSchemaError("expected fewer types within each other, found too many") from None


class _Reader:
    def __init__(self, pool: Any, root: Any) -> None:
        # In the order of the file, by which values count.
        self._messages = list(root.message_types_by_name.values())
        self._converters = Messages(pool)
        self._class_of = library("google.protobuf.message_factory", REGISTRY).GetMessageClass
        self._decode_error: type[Exception] = library("google.protobuf.message", REGISTRY).DecodeError
        # Most values are of these; those declared within them are made as values come.
        self._parts: dict[tuple[int, ...], _Parts] = {
            (place,): self._parts_of((place,)) for place in range(len(self._messages))
        }

    def __call__(self, value: bytes) -> bytes:
        indexes, at = message_indexes(value)
        fault = ""
        try:
            if indexes not in self._parts:
                self._parts[indexes] = self._parts_of(indexes)
            parse, convert = self._parts[indexes]
            return orjson.dumps(convert(parse(value[at:])), option=orjson.OPT_SERIALIZE_NUMPY)
        except self._decode_error:
            fault = "found bytes of something else"
        except (orjson.JSONEncodeError, RecursionError):
            fault = "found one that nests too deeply"
        except UnicodeDecodeError:
            fault = "found text that is no UTF-8"
        raise UnreadableValueError(f"expected a value of its Protobuf schema, {fault}")

    def _parts_of(self, indexes: tuple[int, ...]) -> _Parts:
        among = self._messages
        found: Any = None
        for index in indexes:
            if not 0 <= index < len(among):
                raise UnreadableValueError("expected the place of a message of its schema, found another place")
            found = among[index]
            among = list(found.nested_types)
        if found.GetOptions().map_entry:
            raise UnreadableValueError("expected the place of a message of its schema, found that of a map's entries")
        return self._class_of(found).FromString, self._converters.converter(found)
