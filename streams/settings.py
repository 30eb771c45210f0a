"""Every setting, once: environment variables with the prefix `WHEREWITHAL_`, or keyword arguments."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import SettingsConfigDict

from features.exceptions import OnlineStoreURLError
from features.online.address import parse
from models.encoder.passes.dense import Precision
from streams.broker_settings import BrokerSettings
from streams.exceptions import ConfigurationError
from streams.item_settings import ItemSettings, Stages
from streams.login_settings import LoginSettings, check_login
from streams.membership_settings import MembershipSettings
from streams.name_settings import NameSettings, check_names
from streams.quantities import Count, Hours, Seconds
from streams.registry_settings import REGISTRY_SECRETS, RegistrySettings, check_registry
from streams.rekey_settings import RekeySettings
from streams.sentiment_settings import SentimentSettings
from streams.title_settings import TitleSettings

PREFIX: Final = "WHEREWITHAL_"

EARLIEST: Final = "earliest"
LATEST: Final = "latest"
"""Values of `start_from` that are no instant."""

DEFAULT_ARTEFACT: Final = "default"
"""The value of `artefact` that means the scorer shipped with the package."""

DEFAULT_LABELS: Final = "default"
"""The value of `labels` that means the table shipped with the package."""

MAX_RECORD_BYTES: Final = 1 << 20
"""A larger record is not decoded but goes to the dead letters as `too_large`."""

MAX_TOPIC_BYTES: Final = 8 << 20
"""What topics accept: far more than is decoded, so that an oversized record reaches its dead letter."""


class WindowEdge(StrEnum):
    """What the features of a user are as of, beside the user's newest event."""

    EVENT = "event"
    """Nothing: T is the time of the newest event."""

    CLOCK = "clock"
    """The wall clock."""


class StateStore(StrEnum):
    """Where the Faust table keeps its local copy of the changelog."""

    MEMORY = "memory"
    ROCKSDB = "rocksdb"


class LostInput(StrEnum):
    """What becomes of a worker whose input was deleted before it was taken in."""

    REFUSE = "refuse"
    SKIP = "skip"


_SECRETS: Final = frozenset(
    {
        *("broker", "broker_username", "broker_password", "broker_key_password"),
        *("broker_oauth_token_url", "broker_oauth_client_id", "broker_oauth_client_secret", "online_store"),
        *REGISTRY_SECRETS,
    }
)
"""Settings that hold credentials, or may by mistake: what was found in them is never shown."""


# The command `settings` shows them from the last one to the first, and then those of this class.
class Settings(
    ItemSettings,
    SentimentSettings,
    TitleSettings,
    RegistrySettings,
    RekeySettings,
    MembershipSettings,
    LoginSettings,
    NameSettings,
    BrokerSettings,
):
    """The settings of a worker, of `demo` and of `replay`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    start_from: str = Field(
        "earliest",
        description="where a group begins in an input it knows nothing of: `earliest`, `latest`, a time",
    )
    lost_input: LostInput = Field(
        LostInput.REFUSE, description="`refuse` or `skip` records that their topic deleted before they were read"
    )

    online_store: str | None = Field(
        None, repr=False, description="`sqlite:///path` or `redis://host:port/db`; default: SQLite under `state_dir`"
    )
    freshness_ms: Count = Field(200, description="longest a row may wait for others to be written with")
    online_batch_rows: Count = Field(512, description="rows in one write to the online store")

    served_log: Path | None = Field(None, description="folder of the log of what was served; default: none is kept")
    served_log_share: float = Field(1.0, ge=0, le=1, description="share of the users whose rows are logged")

    state_dir: Path = Field(Path(".wherewithal"), description="folder of local state")
    state_store: StateStore = Field(StateStore.ROCKSDB, description="`rocksdb` or `memory`")
    cached_users: Count = Field(100_000, description="users kept decoded in memory, per worker")

    encoder: str = Field("all-MiniLM-L6-v2", description="a BERT by name, or a local folder")
    cache_dir: Path | None = Field(None, description="folder of converted encoders; default: the user's cache")
    device: str = Field("auto", description="`auto`, `cpu` or `cuda`")
    encoder_precision: Precision = Field(
        "float32", description="of the encoder's products: `float32`, `bfloat16`, `int8`"
    )
    encoder_threads: int | None = Field(None, ge=1, description="torch threads; default: all cores but one, at least 1")
    token_budget: Count | None = Field(None, description="tokens in one batch of the encoder; default: by its device")
    encoder_deadline_ms: Count = Field(5, description="longest a lone text waits for company")
    encoder_queue_texts: Count = Field(2048, description="texts that may wait for the encoder")
    encoder_queue_bytes: Count = Field(16 << 20, description="memory of the texts that may wait for the encoder")
    embedding_cache_texts: Count = Field(50_000, description="embeddings remembered by cleaned text")
    encoder_timeout_s: Seconds = Field(60.0, description="a batch that takes longer counts as a hang")

    artefact: str = Field(DEFAULT_ARTEFACT, description="folder of the scorer, or `default`")
    artefact_poll_s: Seconds = Field(5.0, description="how often the artefact folders are looked at")
    shadow_artefact: str = Field("", description="folder of a scorer to compare with the live one; empty for none")
    capacity_artefact: str = Field(
        "", description="folder of the artefact that estimates purchasing capacity; empty for no such estimate"
    )
    refresh_users_per_s: Count = Field(
        500, description="users published again per second: after a new artefact, on request or for want of rows"
    )
    calibration_share: float = Field(0.01, ge=0, le=1, description="share of users whose predictions are judged")
    labels: str = Field(DEFAULT_LABELS, description="table of labels, a TOML file, or `default`")
    foreign_drift: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        1.0, description="a drift (PSI) of `lifetime_spend` above it makes a scorer `foreign`"
    )
    currency: str = Field("USD", description="the one currency of prices, by its ISO 4217 code")
    earliest_timestamp_ms: int = Field(631_152_000_000, description="older events are invalid")
    future_tolerance_h: Hours = Field(24.0, description="an event further ahead of its record is a dead letter")
    window_edge: WindowEdge = Field(WindowEdge.CLOCK, description="`clock` or `event`")

    batch_records: Count = Field(1000, description="records taken from a fetch at once")
    batches_in_flight: Count = Field(4, description="unacknowledged batches per partition of a topic")
    unacknowledged_bytes: Count = Field(128 << 20, description="records taken in and not acknowledged, per worker")
    partition_unacknowledged_bytes: Count = Field(8 << 20, description="the same, per partition of a topic")
    fetch_buffer_bytes: Count = Field(64 << 20, description="records fetched ahead and not taken in, per worker")
    unpacked_batch_bytes: Count = Field(64 << 20, description="a compressed batch that unpacks to more is refused")
    lane_slice: Count = Field(200, description="records applied before other work gets its turn")

    stall_s: Seconds = Field(120.0, description="a partition with lag and without progress for so long is stuck")

    status_interval_s: float = Field(
        60.0, ge=0, allow_inf_nan=False, description="how often a worker logs its status; 0: never"
    )
    metrics_host: str = Field("127.0.0.1", description="address of the metrics server")
    metrics_port: int = Field(9464, ge=0, le=65_535, description="its port; 0 takes any free one")

    @field_validator("online_store")
    @classmethod
    def _known_store(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                parse(value)
            except OnlineStoreURLError as error:
                raise ValueError(str(error)) from error
        return value

    @field_validator("start_from")
    @classmethod
    def _known_start(cls, value: str) -> str:
        _instant_ms(value)
        return value

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, value: str) -> str:
        # Reading its table takes a while, and the default needs no check.
        from iso4217 import Currency

        codes = {currency.value for currency in Currency}
        if value not in codes:
            meant = value.strip().upper()
            advice = f" (write {meant})" if meant in codes else ""
            raise ValueError(f"expected a code of ISO 4217, such as USD, EUR or CNY, found {value[:20]!r}{advice}")
        return value

    @property
    def start_from_ms(self) -> int | None:
        """The instant of `start_from` in ms; None where it is `earliest` or `latest`."""
        return _instant_ms(self.start_from)

    @property
    def online_url(self) -> str:
        """The URL of the online store, its default filled in."""
        return self.online_store or f"sqlite:///{self.state_dir.absolute() / 'online.db'}"


def variable(field: str) -> str:
    """Return the environment variable of a field of `Settings`."""
    return PREFIX + field.upper()


VARIABLES: Final = frozenset(map(variable, Settings.model_fields))
"""The environment variables of all settings."""


def _instant_ms(start: str) -> int | None:
    """Return the instant that `start_from` names, in ms; None for a name.

    Raises:
        ValueError: it is neither an instant nor a name.
    """
    if start in (EARLIEST, LATEST):
        return None
    try:
        instant = datetime.fromtimestamp(int(start) / 1000, UTC) if start.isdecimal() else datetime.fromisoformat(start)
    except (ValueError, OverflowError, OSError):
        instant = None
    if instant is None or instant.tzinfo is None:
        raise ValueError(
            f"expected `{EARLIEST}`, `{LATEST}`, epoch milliseconds or RFC 3339 with an offset, found {start[:80]!r}"
        )
    return int(instant.timestamp() * 1000)


def load_settings(**overrides: object) -> Settings:
    """Read the settings from the environment, under the given overrides.

    Raises:
        ConfigurationError: a value that cannot be used, in one line that names the variable.
    """
    try:
        settings = Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = str(first["loc"][0])
        message = first["msg"].removeprefix("Value error, ")
        # A check of ours says by itself what was found.
        if first["type"] != "value_error" and field not in _SECRETS:
            message += f", found {str(first['input'])[:80]!r} ({Settings.model_fields[field].description})"
        raise ConfigurationError(f"{variable(field)}: {message[0].lower() + message[1:]}") from None
    if settings.stages is Stages.ITEMS and not settings.items:
        raise ConfigurationError(
            "WHEREWITHAL_STAGES: expected both or users where WHEREWITHAL_ITEMS is false, found items; unset one"
        )
    check_login(settings)
    check_names(settings)
    check_registry(settings)
    return settings
