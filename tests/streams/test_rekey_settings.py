"""Settings of `rekey`: what it may be told stands elsewhere too, and names are those that Kafka takes."""

from __future__ import annotations

from typing import get_args

import pytest

from streams.contract import INPUTS
from streams.encodings.encoding import Encoding
from streams.exceptions import ConfigurationError
from streams.rekey_settings import RekeySettings, RekeySource
from streams.settings import load_settings
from streams.sources.shape import Format


def test_every_shape_every_encoding_and_every_input_can_be_told() -> None:
    fields = RekeySettings.model_fields
    assert set(get_args(fields["rekey_format"].annotation)) == set(Format)
    assert set(get_args(fields["rekey_encoding"].annotation)) == set(Encoding)
    told = ",".join(f"shop.{topic}={topic}" for topic in INPUTS)
    sources = [RekeySource(f"shop.{topic}", topic) for topic in INPUTS]
    assert load_settings(rekey_sources=told).rekey_topics == sources


@pytest.mark.parametrize("name", ["a/b", "ä", "..", "n" * 250])
@pytest.mark.parametrize("setting", ["rekey_sources", "rekey_group_id"])
def test_a_name_that_kafka_does_not_take_is_refused(setting: str, name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"WHEREWITHAL_{setting.upper()}: "):
        load_settings(**{setting: name})


def test_the_source_that_cannot_be_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"SOURCES: expected only letters.* found another .* in 'b c=clicks'"):
        load_settings(rekey_sources="a, b c=clicks")
    with pytest.raises(ConfigurationError, match="expected names of topics, found '=clicks'"):
        load_settings(rekey_sources="a,=clicks")
    with pytest.raises(ConfigurationError, match="after `a=`, found 'orders'"):
        load_settings(rekey_sources="a=orders")
