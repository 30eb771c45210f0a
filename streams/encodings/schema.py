"""A schema as a registry gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """The kinds of schema that are read, by the registry's names."""

    AVRO = "AVRO"
    JSON = "JSON"
    PROTOBUF = "PROTOBUF"


@dataclass(frozen=True)
class Schema:
    """A schema and all that it refers to.

    Attributes:
        id: by which values name it.
        kind: of schema.
        text: of the schema.
        references: the texts of those that it refers to by the name that it uses (of a type in Avro, of an import in
            Protobuf), each after all that it refers to itself.
    """

    id: int
    kind: Kind
    text: str
    references: Mapping[str, str] = field(default_factory=dict)
