"""What can go wrong in the flow; each message says what was expected, what was found and what to do."""


class StreamsError(Exception):
    """The root of this package's errors."""


class ConfigurationError(StreamsError, ValueError):
    """A setting or an argument that cannot be used."""


class BrokerError(StreamsError, RuntimeError):
    """The broker cannot be started, reached or used."""


class BrokerRefusalError(BrokerError):
    """The broker is there and says no, to a login, a certificate or a right: waiting does not mend it."""


class RegistryAwayError(StreamsError, RuntimeError):
    """The schema registry gives no answer to be used, and the patience for it is over."""


class RegistryRefusalError(RegistryAwayError):
    """The schema registry is there and says no, or something else is there: waiting does not mend it."""


class MissingLogError(BrokerError):
    """A partition that was there is there no more: its topic was deleted, or made anew with fewer partitions."""


class StateMismatchError(StreamsError, RuntimeError):
    """The remembered state speaks of another cluster, partition count or log."""


class LostInputError(StreamsError, RuntimeError):
    """Records of an input were deleted before they were taken in."""


class LocalStateError(StreamsError, OSError):
    """The local copy of the state cannot be opened or written."""


class DamagedStateError(StreamsError, RuntimeError):
    """The local copy of the state cannot be read; the changelog still holds it."""


class DrainTimeoutError(StreamsError, TimeoutError):
    """The input was not drained in the time given."""


class MalformedJSONError(StreamsError, ValueError):
    """Bytes that are not the strict JSON of the contract."""


class InvalidEventError(StreamsError, ValueError):
    """Strict JSON that is no event of its topic; the message quotes nothing a user wrote."""


class RefusedInputError(StreamsError, ValueError):
    """More of an input is refused than the user allows."""


class NoRowsError(StreamsError, ValueError):
    """A history gives no row at the instants asked for."""
