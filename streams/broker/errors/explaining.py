"""The meaning of a Kafka client's error in one line: who refuses what to whom, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from aiokafka import errors
from aiokafka.errors import KafkaError

from streams.broker.errors.reachability import Trouble, find_trouble
from streams.broker.login.secret import Secret
from streams.exceptions import BrokerError, BrokerRefusalError

DESCRIBE: Final = "DESCRIBE"
READ: Final = "READ"
WRITE: Final = "WRITE"

Rights = str | Mapping[str, str]
"""The rights needed of topics, in the terms of access control lists: the same for all, or by a topic's name."""

# A client logs why it cannot connect, and then raises an error without the reason. Only a new connection tells a wrong
# password from a broker that is away.
_SILENCE: Final = (
    errors.KafkaConnectionError,
    errors.KafkaTimeoutError,
    errors.KafkaUnavailableError,
    errors.NoBrokersAvailable,
    errors.NodeNotReadyError,
    errors.RequestTimedOutError,
    errors.StaleMetadata,
)


async def explained(
    error: KafkaError, options: Mapping[str, Any], rights: Rights = READ, topic: str | None = None
) -> BrokerError:
    """Return an error that says what a client's error means. If the error itself does not tell, look for the broker.

    Args:
        error: of a client.
        options: of that client, as `streams.broker.connection.connection` has them.
        rights: the rights that were needed of topics.
        topic: the topic, for an error that does not name it.
    """
    told = explained_by_itself(error, options, rights, topic)
    if told is not None:
        return told
    trouble = await find_trouble(options)
    if trouble is not None:
        return as_error(trouble)
    return BrokerError(
        f"the broker at {_servers(options)} takes connections, but answered nothing in time "
        f"({type(error).__name__}): check its log and its load"
    )


def as_error(trouble: Trouble) -> BrokerError:
    """Return the obstacle to a connection as an error."""
    kind = BrokerRefusalError if trouble.lasting else BrokerError
    return kind(f"the broker at {trouble.server} {trouble.what}")


def explained_by_itself(
    error: KafkaError, options: Mapping[str, Any], rights: Rights = READ, topic: str | None = None
) -> BrokerError | None:
    """Return the meaning that the error itself tells, as `explained` does; None if a broker was silent."""
    if type(error) is KafkaError and isinstance(error.__cause__, KafkaError):
        return explained_by_itself(error.__cause__, options, rights, topic)
    broker = f"the broker at {_servers(options)}"
    named = topic or _named(error)
    match error:
        case errors.TopicAuthorizationFailedError():
            right = rights if isinstance(rights, str) else rights.get(named or "", "READ or WRITE")
            what = f"the topic {named!r}" if named else "a topic"
            return _denied(options, right, what)
        case errors.GroupAuthorizationFailedError():
            return _denied(options, READ, f"the group {named!r}" if named else "the consumer group")
        case errors.ClusterAuthorizationFailedError():
            return _denied(options, "CREATE", "the cluster (to make topics)")
        case errors.AuthenticationFailedError() | errors.SaslAuthenticationFailed() if not _rotates(options):
            return BrokerRefusalError(f"{broker} refuses {_login(options)}: check its name and password")
        case errors.MessageSizeTooLargeError() | errors.RecordListTooLargeError():
            what = f"the topic {named!r}" if named else "a topic"
            return BrokerError(f"{what} takes no record of this size: raise its max.message.bytes at {broker}")
        case errors.UnknownTopicOrPartitionError():
            what = f"a topic {named!r}" if named else "a topic"
            return BrokerError(
                f"expected {what} at {broker}, found none: start a worker once, which makes it, or check "
                f"WHEREWITHAL_TOPIC_PREFIX and that {_login(options)} may DESCRIBE it"
            )
        case errors.InvalidSessionTimeoutError():
            return BrokerError(
                f"{broker} allows no session as long or short as WHEREWITHAL_SESSION_TIMEOUT_S: choose one between its "
                "group.min.session.timeout.ms and group.max.session.timeout.ms"
            )
        case errors.InconsistentGroupProtocolError():
            return BrokerError(
                "the consumer group has members that are no workers of this program: wait until a `repartition` that "
                "is under way has ended; of another program's group, set WHEREWITHAL_GROUP to a name of its own"
            )
        case errors.UnsupportedCodecError():
            return BrokerError(
                "a topic holds batches of a codec that is not read here: install the package cramjam "
                "(gzip, snappy, lz4 and zstd are)"
            )
    # A client wraps an error that it did not expect into a `KafkaError` of no kind. And a new connection tells whether
    # the secret of now is refused, too.
    if isinstance(error, (*_SILENCE, errors.AuthenticationFailedError, errors.SaslAuthenticationFailed)) or (
        type(error) is KafkaError and not _told(error)
    ):
        return None
    return BrokerError(f"{broker} failed ({_told(error) or type(error).__name__}): look for it in its log")


def passes(error: BaseException) -> bool:
    """Tell whether the same request may well succeed a moment after this error."""
    if not isinstance(error, KafkaError):
        return False
    kind = vars(errors).get(_told(error), type(error))
    return bool(kind.retriable)


def _denied(options: Mapping[str, Any], right: str, what: str) -> BrokerRefusalError:
    rights, them = (f"rights {right}", "them") if " and " in right else (f"right {right}", "it")
    return BrokerRefusalError(
        f"the broker at {_servers(options)} denies {_login(options)} the {rights} on {what}: grant {them} "
        "(`wherewithal acls` prints how)"
    )


def _login(options: Mapping[str, Any]) -> str:
    name = options.get("sasl_plain_username")
    return "whoever connects without a login" if name is None else f"the login {name!r}"


def _rotates(options: Mapping[str, Any]) -> bool:
    password = options.get("sasl_plain_password")
    return "sasl_oauth_token_provider" in options or (isinstance(password, Secret) and password.rotates)


def _servers(options: Mapping[str, Any]) -> str:
    return ",".join(options["bootstrap_servers"])


def _named(error: KafkaError) -> str | None:
    """Return the topic or group that an error concerns, if the client names it."""
    about = error.args[0] if error.args else ()
    names = sorted(map(str, about)) if isinstance(about, set | frozenset | list | tuple) else [str(about)]
    # Anything else is a sentence of the client's, which may quote records.
    return ", ".join(names) if names and all(map(_NAME.fullmatch, names)) else None


def _told(error: KafkaError) -> str:
    """Return the name of the error that a client wrapped into one of no kind."""
    text = str(error.args[0]) if type(error) is KafkaError and error.args else ""
    return next((name for name in _NAMES if name in text), "")


_NAME: Final = re.compile(r"[\w.-]+", re.ASCII)
_NAMES: Final = tuple(name for name, kind in vars(errors).items() if isinstance(kind, type) and name.endswith("Error"))
