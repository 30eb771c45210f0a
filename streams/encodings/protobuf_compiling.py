"""The text of a Protobuf schema to descriptors, by Google's own compiler in a process of its own."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any, Final

from models.libraries import REGISTRY, library
from streams.encodings.exceptions import UnreadableSchemaError
from streams.encodings.schema import Schema

ROOT: Final = "wherewithal-root.proto"
"""The name of the file that holds the schema itself: registries know none, and no import has it."""

WELL_KNOWN_FOLDER: Final = "google/protobuf/"
"""Imports below it come with the compiler."""

DECIMAL_FILE: Final = "confluent/type/decimal.proto"
_CONFLUENT: Final = (
    "google.protobuf.descriptor_pb2",
    "confluent_kafka.schema_registry.confluent.meta_pb2",
    "confluent_kafka.schema_registry.confluent.type.decimal_pb2",
)
"""Modules of the schemas that Confluent's serializers import and no registry has, and of what those import."""

_KNOWN: Final = "known.bin"

COMPILE_S: Final = 60.0
"""Longest the compiler may take: it needs less than a second for a schema of any usual size."""


async def compiled(schema: Schema) -> Any:
    """Return the `FileDescriptorSet` of a schema, its imports first.

    Imports are the references of the schema, the well-known types of Protobuf, `google/type`, and those of Confluent's
    own that its serializers use.

    Raises:
        UnreadableSchemaError: the compiler refuses it.
        MissingLibraryError: the compiler is not installed.
    """
    library("grpc_tools.protoc", REGISTRY)
    descriptor_pb2 = library("google.protobuf.descriptor_pb2", REGISTRY)
    with tempfile.TemporaryDirectory(prefix="wherewithal-") as name:
        folder = Path(name)
        known = descriptor_pb2.FileDescriptorSet()
        for module in _CONFLUENT:
            library(module, REGISTRY).DESCRIPTOR.CopyToProto(known.file.add())
        await asyncio.to_thread(_write, schema, folder, known)
        output = folder / "descriptors.bin"
        await _run(
            *("-m", "grpc_tools.protoc", f"--proto_path={folder / 'proto'}"),
            *(f"--proto_path={place}" for place in _well_known()),
            f"--descriptor_set_in={folder / _KNOWN}",
            *(f"--descriptor_set_out={output}", "--include_imports", ROOT),
        )
        return descriptor_pb2.FileDescriptorSet.FromString(await asyncio.to_thread(output.read_bytes))


def _write(schema: Schema, folder: Path, known: Any) -> None:
    (folder / _KNOWN).write_bytes(known.SerializeToString())
    # Whoever reads messages trusts what these declare, whatever a registry has under their names.
    given = {file.name for file in known.file}
    texts = {_import_name(name): text for name, text in schema.references.items()} | {ROOT: schema.text}
    for name, text in texts.items():
        if name in given or name.startswith(WELL_KNOWN_FOLDER):
            continue
        path = folder / "proto" / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        except (OSError, ValueError) as error:
            # An import below another that is a file, a name of thousands of letters, half a surrogate pair.
            raise UnreadableSchemaError("expected imports that name files, found another name") from error


def _import_name(name: str) -> str:
    """Return the name of an import, which comes from the registry and must stay within the folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or name == ROOT or "\\" in name or "\0" in name:
        raise UnreadableSchemaError("expected imports by a relative path, found another name")
    return name


def _well_known() -> list[Path]:
    """Return the folders of schemas that every schema may import: those of Protobuf, and `google/type`."""
    folders = []
    for package, inside in (("grpc_tools", "_proto"), ("google.type", "../..")):
        spec = find_spec(package)
        for place in (spec.submodule_search_locations or []) if spec else []:
            folders.append((Path(place) / inside).resolve())
    return folders


async def _run(*arguments: str) -> None:
    # A schema may crash the compiler, which would take this process with it.
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(COMPILE_S):
            _, said = await process.communicate()
    except TimeoutError:
        raise UnreadableSchemaError(
            f"expected a Protobuf schema that compiles within {COMPILE_S:g} s, found none"
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise UnreadableSchemaError(f"expected a Protobuf schema, found one that does not compile ({_first(said)})")


def _first(said: bytes) -> str:
    """Return the first complaint of the compiler: not its warnings, nor what its libraries say."""
    lines = [line for line in said.decode(errors="replace").splitlines() if ".proto:" in line]
    complaints = [line for line in lines if ": warning: " not in line]
    return complaints[0].rpartition(f"{ROOT}:")[2].strip()[:200] if complaints else "it gives no reason"
