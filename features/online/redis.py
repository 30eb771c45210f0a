"""The Redis writer: one hash per key as Feast lays it out, and the fence as one more field of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from features.exceptions import OnlineStoreError
from features.online import scripts
from features.online.address import RedisAddress
from features.online.durability import risks
from features.online.redis_rows import FENCE_FIELD, Hashes, Shape
from features.online.rows import Fence, Row, check_fence, newest_per_key
from features.online.store import DeleteResult, WriteResult
from features.online.user_views import USERS
from features.online.views import Serving
from features.online.wire import timestamp

_PROBE: Final = b"wherewithal:check"
_DELETE: Final = scripts.delete(fence_field=FENCE_FIELD)

_KEYS_PER_CALL: Final = 32
"""Keys per script call: enough to spread its cost, few enough (about 1 ms) not to hold up Redis's readers."""
_ATTEMPTS: Final = 3
_KEYS_PER_SCAN: Final = 10_000
"""Some milliseconds of Redis's only thread."""


class RedisOnlineStore:
    """Rows in the hashes of a single Redis (not a cluster), each key changed by one atomic script.

    Args:
        address: where Redis is; nothing is sent before the first call.
        project: the Feast project.
        serving: the entity whose rows they are.
        timeout_s: longest wait for a connection or an answer, in seconds, up to three times over.
        clock_ns: wall clock, epoch ns; Feast's event timestamp is the time of the write.
    """

    def __init__(
        self,
        address: RedisAddress,
        project: str,
        serving: Serving[Any] = USERS,
        *,
        timeout_s: float = 5.0,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._keys = serving.keys
        self._suffix = project.encode()
        self._hashes = Hashes(serving)
        self._clock_ns = clock_ns
        self._client = redis.Redis(
            host=address.host,
            port=address.port,
            db=address.database,
            username=address.username,
            password=address.password,
            ssl=address.tls,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), _ATTEMPTS - 1),
        )

    def write(self, rows: Sequence[Row]) -> WriteResult:
        """Write a batch in one round trip, or two if only some rows fill the extra view; see `OnlineStore.write`.

        After an error part of the batch may be in place; the same call again lands the rest. Rows whose answer
        was lost on the way are sent again at once, and then count as fenced.
        """
        if not rows:
            return WriteResult(0, 0)
        newest = newest_per_key(rows)
        stamp = timestamp(self._clock_ns())
        written = sum(self._write(shape, alike, stamp) for shape, alike in self._hashes.shaped(newest))
        return WriteResult(written, len(rows) - written)

    def _write(self, shape: Shape, rows: Sequence[Row], stamp: bytes) -> int:
        if not rows:
            return 0
        keys = [self._key(row.key) for row in rows]
        packed = shape.packed(rows)
        calls = []
        for start in range(0, len(keys), _KEYS_PER_CALL):
            arguments = [stamp]
            for row, blob in zip(rows[start : start + _KEYS_PER_CALL], packed[start:], strict=False):
                arguments += (_fence_text(row.fence), blob)
            calls.append((keys[start : start + _KEYS_PER_CALL], arguments))
        return self._run(shape.script, calls)

    def delete(self, removals: Mapping[str, Fence], fence_ttl_s: int | None = None) -> DeleteResult:
        """Remove keys in one round trip; see `OnlineStore.delete`.

        The whole hash goes, so that a feature of an earlier release, or another view of the same entity and
        project, does not outlive the removal.
        """
        for fence in removals.values():
            check_fence(fence)
        keys = [self._key(key) for key in removals]
        fences = [_fence_text(fence) for fence in removals.values()]
        ttl = b"" if fence_ttl_s is None else b"%d" % fence_ttl_s
        calls = [
            (keys[start : start + _KEYS_PER_CALL], [ttl, *fences[start : start + _KEYS_PER_CALL]])
            for start in range(0, len(keys), _KEYS_PER_CALL)
        ]
        deleted = self._run(_DELETE, calls) if calls else 0
        return DeleteResult(deleted, len(keys) - deleted)

    def has(self, key: str) -> bool:
        """Read back whether the hash of a key holds anything but a fence."""
        name = self._key(key)
        with self._translated():
            answers = self._round_trip([("HLEN", name), ("HEXISTS", name, FENCE_FIELD)], atomic=True)
            fields, fenced = map(_integer, answers)
        return fields > fenced

    def stored(self, keys: Sequence[str]) -> list[dict[tuple[str, str], bytes | None] | None]:
        """Return the value of every (view, feature) of each key, serialised, in one round trip; None of an unknown.

        Feast, too, knows a key by the timestamp of the first view.
        """
        with self._translated():
            asked = (self._hashes.known, *self._hashes.fields)
            answers = self._round_trip([("HMGET", self._key(key), *asked) for key in keys])
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
        return [dict(zip(self._hashes.names, values, strict=True)) if known else None for known, *values in answers]

    def ping(self) -> None:
        """Send PING."""
        with self._translated():
            self._client.ping()

    def try_writing(self) -> None:
        """Write a key of nobody's, which is gone after a second."""
        with self._translated():
            self._client.set(_PROBE, b"", px=1000)

    def keys(self) -> Iterator[str]:
        """Yield every key that the database has a hash of, a fence alone included, in no order and perhaps twice."""
        pattern = _literal(self._keys.prefix) + b"*" + _literal(self._suffix)
        cursor = 0
        while True:
            with self._translated():
                cursor, names = self._client.scan(cursor, match=pattern, count=_KEYS_PER_SCAN)  # type: ignore[misc]
            for name in names:
                key = self._keys.decode(name.removesuffix(self._suffix))
                if key is not None:
                    yield key
            if not cursor:
                return

    def risks(self) -> list[str]:
        """Look at eviction and persistence, as far as the server lets itself be asked."""
        info: dict[str, Any] | None = None
        save: str | None = None
        client: Any = self._client
        with self._translated():
            # A managed server, or its access list, refuses either command.
            with suppress(redis.ResponseError):
                info = client.info()
            with suppress(redis.ResponseError):
                save = client.config_get("save").get("save")
        return risks(info, save)

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def _key(self, key: str) -> bytes:
        return self._keys.encode(key) + self._suffix

    def _run(self, script: scripts.Script, calls: list[tuple[list[bytes], list[bytes]]]) -> int:
        """Run a script once per call in one round trip, and return the sum of its answers."""
        with self._translated():
            answers = self._call(script, calls)
            unknown = [
                call
                for call, answer in zip(calls, answers, strict=True)
                if isinstance(answer, redis.exceptions.NoScriptError)
            ]
            if unknown:
                # Redis forgets its scripts at every restart.
                self._client.script_load(script.source)
                answers = [answer for answer in answers if not isinstance(answer, redis.exceptions.NoScriptError)]
                answers += self._call(script, unknown)
            return sum(map(_integer, answers))

    def _call(self, script: scripts.Script, calls: list[tuple[list[bytes], list[bytes]]]) -> list[Any]:
        return self._round_trip([("EVALSHA", script.sha1, len(keys), *keys, *arguments) for keys, arguments in calls])

    def _round_trip(self, commands: list[tuple[bytes | str | int, ...]], atomic: bool = False) -> list[Any]:
        """Send commands together and return their answers, errors among them."""
        pipe: Any
        with self._client.pipeline(transaction=atomic) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            # Raised by redis-py itself, an error would quote the command: a user's id and values.
            answers: list[Any] = pipe.execute(raise_on_error=False)
        return answers

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except redis.RedisError as error:
            raise OnlineStoreError(
                f"expected the Redis online store at {self._address} to answer, found {self._cause(error)}"
            ) from error

    def _cause(self, error: redis.RedisError) -> str:
        match error:
            case (
                redis.exceptions.AuthenticationError()
                | redis.exceptions.AuthorizationError()
                | redis.exceptions.NoPermissionError()
            ):
                return "refused credentials: check the online store URL's user, password and that user's rights"
            case redis.exceptions.OutOfMemoryError():
                return "no memory left (maxmemory): raise it, or set a policy that evicts other keys"
            case redis.exceptions.ReadOnlyError():
                return "a read-only replica: point the online store URL at the primary"
            case redis.exceptions.BusyLoadingError():
                return "a server still loading its data: wait until it is up"
            case redis.TimeoutError():
                return f"no answer within {self._timeout_s:g} s, {_ATTEMPTS} times: check the server and the network"
            case redis.ConnectionError():
                return "no connection: check host, port, TLS and that the server runs"
        # The first word is Redis's error code; what follows may quote keys.
        return f"the error {str(error).split(' ', 1)[0][:40]}: see the server's log"


def _integer(answer: Any) -> int:
    if isinstance(answer, Exception):
        raise answer
    return int(answer)


def _literal(text: bytes) -> bytes:
    """Return a glob-style pattern that matches these bytes alone."""
    return b"".join(b"\\" + bytes([byte]) if byte in b"*?[]^-\\" else bytes([byte]) for byte in text)


def _fence_text(fence: Fence) -> bytes:
    return b"%d:%d:%d" % fence
