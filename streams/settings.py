"""Every setting, once: environment variables with the prefix `WHEREWITHAL_`, or keyword arguments."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.exceptions import ConfigurationError

EMBEDDED: Final = "embedded"
"""The value of `broker` that starts a broker of its own."""

DEFAULT_ARTEFACT: Final = "default"
"""The value of `artefact` that means the scorer shipped with the package."""

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


Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Settings(BaseSettings):
    """The settings of a worker, of `demo` and of `replay`."""

    model_config = SettingsConfigDict(env_prefix="WHEREWITHAL_", extra="ignore", frozen=True)

    broker: str = Field(EMBEDDED, description="`embedded`, or `kafka://host:port[,host:port...]`")
    broker_username: str | None = Field(None, description="SASL/PLAIN user name")
    broker_password: SecretStr | None = Field(None, description="SASL/PLAIN password")
    broker_tls: bool = Field(False, description="encrypt the connection to the broker")
    broker_ca_file: Path | None = Field(None, description="CA certificates of the broker, PEM")
    topic_prefix: str = Field("", description="put before the name of every topic and the consumer group")
    partitions: Count = Field(4, description="partitions of every topic made by this program")
    replication: Count = Field(1, description="replicas of every topic made by this program")
    group: str = Field("wherewithal", description="consumer group and name of the Faust app")

    session_timeout_s: Seconds = Field(10.0, description="a worker silent for so long loses its partitions")
    heartbeat_interval_s: Seconds = Field(1.0, description="how often a worker shows that it lives")
    request_timeout_s: Seconds = Field(30.0, description="longest wait for an answer of the broker")
    commit_interval_s: Seconds = Field(1.0, description="how often offsets are committed")

    online_store: str | None = Field(
        None, description="`sqlite:///path` or `redis://host:port/db`; default: SQLite under `state_dir`"
    )
    freshness_ms: Count = Field(200, description="longest a row may wait for others to be written with")
    online_batch_rows: Count = Field(512, description="rows in one write to the online store")

    state_dir: Path = Field(Path(".wherewithal"), description="folder of local state")
    state_store: StateStore = Field(StateStore.ROCKSDB, description="`rocksdb` or `memory`")
    cached_users: Count = Field(100_000, description="users kept decoded in memory, per worker")

    encoder: str = Field("all-MiniLM-L6-v2", description="a BERT by name, or a local folder")
    device: str = Field("auto", description="`auto`, `cpu` or `cuda`")
    encoder_threads: int | None = Field(None, ge=1, description="torch threads; default: all cores but one")
    token_budget: Count = Field(1024, description="padded tokens in one batch of the encoder")
    encoder_deadline_ms: Count = Field(5, description="longest a lone text waits for company")
    encoder_queue_texts: Count = Field(2048, description="texts that may wait for the encoder")
    embedding_cache_texts: Count = Field(50_000, description="embeddings remembered by cleaned text")
    encoder_timeout_s: Seconds = Field(60.0, description="a batch that takes longer counts as a hang")

    artefact: str = Field(DEFAULT_ARTEFACT, description="folder of the scorer, or `default`")
    currency: str = Field("USD", min_length=1, description="the one currency of prices")
    earliest_timestamp_ms: int = Field(631_152_000_000, description="older events are invalid")
    window_edge: WindowEdge = Field(WindowEdge.CLOCK, description="`clock` or `event`")

    batch_records: Count = Field(1000, description="records taken from a fetch at once")
    batches_in_flight: Count = Field(4, description="unacknowledged batches per partition of a topic")
    lane_slice: Count = Field(200, description="records applied before other work gets its turn")

    stall_s: Seconds = Field(120.0, description="a partition with lag and without progress for so long is stuck")

    metrics_host: str = Field("127.0.0.1", description="address of the metrics server")
    metrics_port: int = Field(9464, ge=0, le=65_535, description="its port; 0 takes any free one")

    @field_validator("broker")
    @classmethod
    def _known_broker(cls, value: str) -> str:
        if value == EMBEDDED:
            return value
        if urlsplit(value.split(",")[0]).scheme != "kafka":
            raise ValueError("expected `embedded` or `kafka://host:port`")
        return value

    @field_validator("topic_prefix", "group")
    @classmethod
    def _legal_name(cls, value: str) -> str:
        if not all(char.isascii() and (char.isalnum() or char in "._-") for char in value):
            raise ValueError("expected only letters, digits, '.', '_' and '-'")
        return value

    @property
    def embedded(self) -> bool:
        """Whether this process starts a broker of its own."""
        return self.broker == EMBEDDED

    @property
    def bootstrap_servers(self) -> list[str]:
        """The `host:port` pairs of `broker`."""
        hosts = self.broker.removeprefix("kafka://").split(",")
        return [host.removeprefix("kafka://") for host in hosts]

    @property
    def online_url(self) -> str:
        """The URL of the online store, its default filled in."""
        return self.online_store or f"sqlite:///{self.state_dir.absolute() / 'online.db'}"


def load_settings(**overrides: object) -> Settings:
    """Read the settings from the environment, under the given overrides.

    Raises:
        ConfigurationError: a value that cannot be used, in one line that names the variable.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = "WHEREWITHAL_" + "_".join(str(part) for part in first["loc"]).upper()
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(f"{name}: {message[0].lower() + message[1:]}") from None
