"""Settings: from the environment or by keyword, and one clear line for a value that cannot be used."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from streams.exceptions import ConfigurationError
from streams.settings import Settings, WindowEdge, load_settings


@pytest.fixture(autouse=True)
def no_settings_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("WHEREWITHAL_")]:
        monkeypatch.delenv(name)


def refusal(monkeypatch: pytest.MonkeyPatch, **values: str) -> str:
    """Return the line that refuses these variables (their names without the prefix)."""
    for name, value in values.items():
        monkeypatch.setenv(f"WHEREWITHAL_{name}", value)
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    line = str(refused.value)
    assert "\n" not in line
    return line


def test_every_setting_has_a_default_and_is_documented() -> None:
    settings = load_settings()
    assert settings.embedded
    assert all(field.description for field in Settings.model_fields.values())


def test_a_number_of_time_carries_its_unit_in_its_name() -> None:
    of_time = re.compile("timeout|interval|deadline|freshness|stall|timestamp")
    names = [name for name in Settings.model_fields if of_time.search(name)]
    assert names
    assert [name for name in names if not name.endswith(("_s", "_ms"))] == []


def test_a_keyword_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHEREWITHAL_PARTITIONS", "7")
    assert load_settings().partitions == 7
    assert load_settings(partitions=3).partitions == 3


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BROKER", "ONLINE_STORE", "PARTITIONS", "BROKER_PASSWORD", "GROUP"):
        monkeypatch.setenv(f"WHEREWITHAL_{name}", "")
    assert load_settings() == load_settings(partitions=4)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("PARTITIONS", "many", "found 'many'"),
        ("PARTITIONS", "0", "greater than or equal to 1, found '0'"),
        ("SESSION_TIMEOUT_S", "inf", "found 'inf'"),
        ("SESSION_TIMEOUT_S", "nan", "found 'nan'"),
        ("SESSION_TIMEOUT_S", "-1", "found '-1'"),
        ("HEARTBEAT_INTERVAL_S", "10", "less than WHEREWITHAL_SESSION_TIMEOUT_S (10), found 10"),
        ("WINDOW_EDGE", "yesterday", "'event' or 'clock', found 'yesterday'"),
        ("BROKER_TLS", "perhaps", "found 'perhaps'"),
        ("METRICS_PORT", "65536", "found '65536'"),
        # What Kubernetes sets for a service of that name.
        ("METRICS_PORT", "tcp://10.0.0.1:9464", "found 'tcp://10.0.0.1:9464'"),
        ("GROUP", "a/b", "only letters, digits"),
        ("TOPIC_PREFIX", "naïve-", "only letters, digits"),
        ("BROKER_PASSWORD", "secret", "together with WHEREWITHAL_BROKER_USERNAME"),
        ("BROKER_CA_FILE", "/ca.pem", "together with WHEREWITHAL_BROKER_TLS=true"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    line = refusal(monkeypatch, **{variable: value})
    assert line.startswith(f"WHEREWITHAL_{variable}: ")
    assert said in line


def test_a_long_value_is_not_repeated_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(refusal(monkeypatch, PARTITIONS="x" * 5000)) < 300


def test_a_user_name_without_a_password_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(monkeypatch, BROKER_USERNAME="somebody").startswith("WHEREWITHAL_BROKER_PASSWORD: ")


@pytest.mark.parametrize(
    ("broker", "servers"),
    [
        ("kafka://localhost:9092", ["localhost:9092"]),
        ("kafka://a:1,b:2,kafka://c_c.example:65535", ["a:1", "b:2", "c_c.example:65535"]),
        ("kafka://[::1]:9092", ["[::1]:9092"]),
    ],
)
def test_a_broker_is_one_or_several_hosts_with_ports(broker: str, servers: list[str]) -> None:
    settings = load_settings(broker=broker)
    assert not settings.embedded
    assert settings.bootstrap_servers == servers


@pytest.mark.parametrize(
    "broker",
    [
        *("http://a:1", "a:1", "kafka://", "kafka://a", "kafka://a:", "kafka://:1", "kafka://a:http", "kafka://a:0"),
        *("kafka://a:65536", "kafka://a:1/", "kafka://a:1?x=1", "kafka://a:1,", "kafka://a:1, b:2", "kafka://a:1,b"),
        *("Embedded", "kafka://a:1,http://b:2"),
    ],
)
def test_any_other_broker_is_refused(monkeypatch: pytest.MonkeyPatch, broker: str) -> None:
    assert refusal(monkeypatch, BROKER=broker).startswith(
        "WHEREWITHAL_BROKER: expected `embedded` or `kafka://host:port"
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BROKER", "kafka://somebody:hunter2@a:1"),
        ("ONLINE_STORE", "mysql://somebody:hunter2@a/b"),
        ("ONLINE_STORE", "redis://:hunter2@a:port/0"),
        ("BROKER_PASSWORD", "hunter2"),
    ],
)
def test_no_refusal_shows_a_credential(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    assert "hunter2" not in refusal(monkeypatch, **{variable: value})


def test_a_credential_is_in_no_printed_settings() -> None:
    settings = load_settings(broker_username="somebody", broker_password="hunter2")
    assert "hunter2" not in f"{settings!r} {settings}"


def test_an_unknown_online_store_is_refused_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    line = refusal(monkeypatch, ONLINE_STORE="mysql://a/b")
    assert line.startswith("WHEREWITHAL_ONLINE_STORE: expected sqlite:///")
    assert "'mysql'" in line


def test_the_online_store_is_a_file_in_the_state_folder_unless_one_is_named(tmp_path: Path) -> None:
    assert load_settings(state_dir=tmp_path).online_url == f"sqlite:///{tmp_path / 'online.db'}"
    assert load_settings(online_store="redis://a:1/2").online_url == "redis://a:1/2"


def test_settings_cannot_be_changed_once_loaded() -> None:
    settings: Any = load_settings(window_edge="event")
    assert settings.window_edge is WindowEdge.EVENT
    with pytest.raises(ValueError, match="frozen"):
        settings.partitions = 5


@pytest.mark.parametrize("code", ["USD", "EUR", "CNY", "JPY", "KWD"])
def test_a_currency_of_iso_4217_is_taken(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setenv("WHEREWITHAL_CURRENCY", code)
    assert load_settings().currency == code


@pytest.mark.parametrize(
    ("code", "advice"), [("usd", " (write USD)"), (" EUR", " (write EUR)"), ("EURO", ""), ("$", ""), ("DEM", "")]
)
def test_another_currency_is_refused(monkeypatch: pytest.MonkeyPatch, code: str, advice: str) -> None:
    line = refusal(monkeypatch, CURRENCY=code)
    assert line.startswith("WHEREWITHAL_CURRENCY: expected a code of ISO 4217, such as USD, EUR or CNY, found ")
    assert line.endswith(f"{code!r}{advice}")
