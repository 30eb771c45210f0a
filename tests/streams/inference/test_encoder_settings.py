from __future__ import annotations

import os
from typing import Any

import pytest

from models.encoder.bert import BertEncoder
from streams.exceptions import ConfigurationError
from streams.inference import loading
from streams.inference.loading import load_encoder
from streams.settings import load_settings


class Loaded:
    def __init__(self) -> None:
        self.arguments: tuple[Any, ...] = ()
        self.warmed_up = False

    def warm_up(self) -> None:
        self.warmed_up = True


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Loaded:
    encoder = Loaded()

    def load(*arguments: Any) -> Loaded:
        encoder.arguments = arguments
        return encoder

    monkeypatch.setattr(BertEncoder, "load", load)
    return encoder


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (16, 15)])
def test_an_encoder_leaves_one_core_of_the_process_to_the_event_loop(
    cores: int, threads: int, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    load_encoder(load_settings())
    assert loaded.arguments[2] == threads
    assert loaded.warmed_up


@pytest.mark.parametrize("cores", [1, 2, 16])
def test_an_encoder_for_files_has_every_core_of_the_process(
    cores: int, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    load_encoder(load_settings(), offline=True)
    assert loaded.arguments[2] == cores


def test_where_the_system_does_not_say_the_machines_cores_count(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    load_encoder(load_settings())
    assert loaded.arguments[2] == 3


def test_the_settings_have_the_last_word(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHEREWITHAL_ENCODER_THREADS", "7")
    monkeypatch.setenv("WHEREWITHAL_ENCODER_PRECISION", "int8")
    load_encoder(load_settings())
    assert (loaded.arguments[2], loaded.arguments[4]) == (7, "int8")


def test_a_precision_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHEREWITHAL_ENCODER_PRECISION", "int4")
    with pytest.raises(ConfigurationError, match="PRECISION"):
        load_settings()


def test_a_precision_that_this_cpu_lacks_is_a_setting_to_change(monkeypatch: pytest.MonkeyPatch) -> None:
    from streams.telemetry.metrics import Metrics

    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(ConfigurationError, match="use precision float32"):
        loading.load_inference(load_settings(encoder_precision="bfloat16"), Metrics())
