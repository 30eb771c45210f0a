"""Settings of the polarity of reviews, a part of `streams.settings.Settings`."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings


class SentimentSettings(BaseSettings):
    """What reads whether a review praises or complains."""

    sentiment_artefact: str = Field(
        "", description="folder of a head of polarity; default: the shipped one, where it fits the encoder"
    )
