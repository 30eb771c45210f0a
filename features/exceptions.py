"""What can go wrong in what is remembered; each message says what was expected and what to do."""


class FeaturesError(Exception):
    """The root of this package's errors."""


class StateFormatError(FeaturesError, ValueError):
    """Stored state that this version cannot read."""


class OnlineStoreError(FeaturesError, RuntimeError):
    """The online store refused, or cannot be reached."""


class OnlineStoreURLError(FeaturesError, ValueError):
    """A setting that names no online store this project knows."""


class OfflineColumnsError(FeaturesError, ValueError):
    """A history in Parquet that lacks columns, because an earlier release wrote it."""


class OnlineRowError(FeaturesError, ValueError):
    """A row for the online store that is not of the agreed shape."""
