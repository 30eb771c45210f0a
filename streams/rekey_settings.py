"""Settings of `rekey`, a part of `streams.settings.Settings`."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from streams.name_settings import MAX_NAME, Name, check_name

_HELD: Final = ("reviews", "searches", "clicks", "erasures")
"""What a source may be said to hold."""


class RekeySource(NamedTuple):
    """A topic of the shop.

    Attributes:
        topic: its name on the broker.
        holds: the input whose events its records are, each without the line around it; None where each record tells.
    """

    topic: str
    holds: str | None


class RekeySettings(BaseSettings):
    """Where `rekey` reads, and how."""

    rekey_sources: str = Field("", description="topics that `rekey` reads: `topic` or `topic=input`, by commas")
    rekey_format: Literal["auto", "own", "segment", "ga4"] = Field(
        "auto", description="shape of their events: `auto`, `own`, `segment` or `ga4`"
    )
    rekey_encoding: Literal["auto", "json", "confluent"] = Field(
        "auto", description="encoding of their values: `auto`, `json` or `confluent`"
    )
    rekey_group_id: Name | None = Field(
        None, description="exact name of the consumer group of `rekey`; default: that of the workers and `-rekey`"
    )
    rekey_max_refused: float = Field(
        0.5, ge=0, le=1, description="share of a source's records beyond which `rekey` stops"
    )

    @field_validator("rekey_group_id")
    @classmethod
    def _legal_group(cls, value: str | None) -> str | None:
        return None if value is None else check_name(value)

    @field_validator("rekey_sources")
    @classmethod
    def _known_sources(cls, value: str) -> str:
        names = [source.topic for source in _sources(value)]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"expected each topic once, found {twice!r} twice")
        return value

    @property
    def rekey_topics(self) -> list[RekeySource]:
        """The topics that `rekey` reads."""
        return _sources(self.rekey_sources)


def _sources(text: str) -> list[RekeySource]:
    return [_source(word.strip()) for word in text.split(",") if word.strip()]


def _source(word: str) -> RekeySource:
    topic, equals, holds = word.partition("=")
    if not topic or len(topic) > MAX_NAME:
        raise ValueError(f"expected names of topics, found {word[:80]!r}")
    try:
        check_name(topic)
    except ValueError as error:
        raise ValueError(f"{error} in {word[:80]!r}") from None
    if equals and holds not in _HELD:
        raise ValueError(f"expected one of {', '.join(_HELD)} after `{topic}=`, found {holds[:80]!r}")
    return RekeySource(topic, holds or None)
