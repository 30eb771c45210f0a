"""One question to the schema registry, by Confluent's own client of it, and what the answer means."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

from models.libraries import REGISTRY, library
from streams.broker.login.secret import SecretUnreadableError
from streams.encodings.exceptions import UnreadableSchemaError
from streams.encodings.registry_options import RegistryOptions
from streams.encodings.schema import Kind, Schema
from streams.exceptions import ConfigurationError
from streams.settings import Settings

MAX_SCHEMA_BYTES: Final = 1 << 20
"""Of a schema and all that it refers to. A registry's own topic takes no larger schema by default."""

MAX_REFERENCES: Final = 100
"""Of a schema and of those it refers to, together."""

_URL: Final = "WHEREWITHAL_SCHEMA_REGISTRY_URL"
_NOT_FOUND: Final = range(40400, 40500)
"""Codes by which a registry says that it has no such schema, subject or version. Other servers have no code."""


class RegistryFaultError(Exception):
    """The registry gave no answer that can be used.

    Attributes:
        what: a sentence about it, from its subject on.
        lasting: whether only a change of a setting or at the registry mends it.
    """

    def __init__(self, what: str, lasting: bool) -> None:
        super().__init__(what)
        self.what = what
        self.lasting = lasting


class RegistryClient:
    """Asks for schemas. Every question has a connection of its own, with the secrets that files hold then.

    Args:
        settings: of the registry, whose URL is set.

    Raises:
        ConfigurationError: a file of the settings cannot be used.
        MissingLibraryError: the client is not installed.
    """

    def __init__(self, settings: Settings) -> None:
        module = library("confluent_kafka.schema_registry", REGISTRY)
        self._class = module.AsyncSchemaRegistryClient
        self._error: type[Exception] = library("confluent_kafka.schema_registry.error", REGISTRY).SchemaRegistryError
        # The client takes either of two packages, and says here which.
        self._http = library("confluent_kafka.schema_registry.common._httpx_compat", REGISTRY).httpx
        urls = (settings.schema_registry_url or "").split(",")
        self.named = f"the schema registry {settings.schema_registry_url}"
        # The client asks one address after the other.
        self._timeout_s = settings.schema_registry_timeout_s * len(urls)
        self._options = RegistryOptions(settings)
        try:
            self._class(self._options.current())
        except (OSError, ValueError, SecretUnreadableError) as error:
            raise ConfigurationError(self._options.fault(error)) from error

    async def schema(self, schema_id: int) -> Schema:
        """Return a schema with those it refers to.

        Raises:
            UnreadableSchemaError: the registry has none of this id, or what it has is refused.
            RegistryFaultError: the registry gave no answer that can be used.
        """
        async with self._asking() as client:
            found = await self._answer(client.get_schema(schema_id))
            if found is None:
                raise UnreadableSchemaError("expected it in the registry, found none")
            kind = _kind(found)
            references: dict[str, str] = {}
            # JSON Schema says what values may be, not how they are encoded: none of it is needed to read them.
            if kind is not Kind.JSON:
                await self._follow(client, found, references, set())
            _check_size(found.schema_str, *references.values())
            return Schema(schema_id, kind, found.schema_str, references)

    async def _follow(self, client: Any, schema: Any, into: dict[str, str], open_: set[str]) -> None:
        """Collect the references of a schema, each after those that it has itself."""
        for reference in schema.references or []:
            name, subject, version = reference.name, reference.subject, reference.version
            if not isinstance(name, str) or not isinstance(subject, str) or type(version) is not int:
                raise UnreadableSchemaError("expected references with a name, a subject and a version, found others")
            if name in into:
                continue
            if name in open_ or len(open_) + len(into) >= MAX_REFERENCES:
                raise UnreadableSchemaError(f"expected up to {MAX_REFERENCES} references, none to itself, found others")
            registered = await self._answer(client.get_version(subject, version, True))
            if registered is None or registered.schema is None:
                raise UnreadableSchemaError(f"expected version {version} of {subject[:80]!r} to refer to, found none")
            _kind(registered.schema)
            await self._follow(client, registered.schema, into, open_ | {name})
            into[name] = registered.schema.schema_str
            _check_size(*into.values())

    async def _answer(self, request: Any) -> Any:
        """Return what the registry has, None if it has no such thing."""
        fault: RegistryFaultError | None = None
        try:
            async with asyncio.timeout(self._timeout_s):
                return await request
        except self._error as error:
            status: Any = getattr(error, "http_status_code", None)
            code: Any = getattr(error, "error_code", None)
            if status == 404 and code in _NOT_FOUND:
                return None
            fault = self._of_status(status)
        except (TimeoutError, self._http.TimeoutException):
            fault = RegistryFaultError(f"{self.named} did not answer within {self._timeout_s:g} s", False)
        except (self._http.HTTPError, self._http.InvalidURL) as error:
            fault = self._unreachable(error)
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
            # What the client raises for an answer of 200 that is no JSON, or other JSON.
            fault = self._something_else("200")
        raise fault

    def _of_status(self, status: object) -> RegistryFaultError:
        if status in (401, 403):
            return RegistryFaultError(
                f"{self.named} refuses this program ({status}): check WHEREWITHAL_SCHEMA_REGISTRY_USERNAME and its "
                "password, WHEREWITHAL_SCHEMA_REGISTRY_TOKEN, and what they may read",
                not self._options.rotate,
            )
        if isinstance(status, int) and (status in (408, 429) or status >= 500):
            return RegistryFaultError(f"{self.named} answered {status}: look into its log", False)
        return self._something_else(str(status))

    def _something_else(self, status: str) -> RegistryFaultError:
        return RegistryFaultError(
            f"{self.named} answered {status} and not as one: check that {_URL} is the address of its interface", True
        )

    def _unreachable(self, error: BaseException) -> RegistryFaultError:
        for cause in _causes(error):
            if isinstance(cause, ssl.SSLCertVerificationError):
                return RegistryFaultError(
                    f"{self.named} shows a certificate that is not trusted ({cause.verify_message}): set "
                    "WHEREWITHAL_SCHEMA_REGISTRY_CA_FILE to its authority",
                    True,
                )
        causes = list(_causes(error))
        said = next((cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror), None)
        return RegistryFaultError(f"{self.named} cannot be reached ({said or type(causes[-1]).__name__})", False)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Any]:
        try:
            client = self._class(self._options.current())
        except (OSError, ValueError, SecretUnreadableError) as error:
            # Files are replaced while we look, and come back.
            raise RegistryFaultError(self._options.fault(error), False) from error
        async with client:
            yield client


def _kind(schema: Any) -> Kind:
    if not isinstance(schema.schema_str, str):
        raise UnreadableSchemaError("expected the text of a schema from the registry, found none")
    kind = schema.schema_type or Kind.AVRO
    if kind not in list(Kind):
        raise UnreadableSchemaError(f"expected a schema of {', '.join(Kind)}, found {str(kind)[:40]!r}")
    return Kind(kind)


def _check_size(*texts: str) -> None:
    if sum(map(len, texts)) > MAX_SCHEMA_BYTES:
        raise UnreadableSchemaError(f"expected at most {MAX_SCHEMA_BYTES} bytes of schemas, found more")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it came from."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
