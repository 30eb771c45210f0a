"""Settings of the titles of items, a part of `streams.settings.Settings`."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings

from streams.quantities import Count


class TitleSettings(BaseSettings):
    """How many titles are remembered, and how many clicks may wait for theirs."""

    cached_titles: Count = Field(50_000, description="titles whose vectors are remembered, per worker")
    waiting_titles: Count = Field(10_000, description="clicks whose titles wait, per partition; then clicks wait too")
    waiting_title_bytes: Count = Field(8 << 20, description="memory of the titles that wait, per partition")
