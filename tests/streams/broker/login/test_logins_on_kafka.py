"""Every usual login, on a node of Apache Kafka: right, wrong, expired and absent; what is wrong is said in one line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from support.patience import PATIENCE_S
from support.servers.kafka import kafka_libraries
from support.servers.login_kafka import PASSWORD, LoginKafka
from support.servers.token_server import TokenServer

from streams.broker.topics.log_ends import high_watermarks
from streams.broker.topics.provisioning import make_topics
from streams.contract import CLICKS, topic_name
from streams.exceptions import BrokerError
from streams.settings import load_settings

CLIENT = "shop:worker"
"""A client id with a character that a login must encode."""


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenServer]:
    with TokenServer(tmp_path_factory.mktemp("tokens"), {CLIENT: "client secret"}) as server:
        yield server


@pytest.fixture(scope="module")
def node(tokens: TokenServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoginKafka]:
    kafka_libraries()
    with LoginKafka(tmp_path_factory.mktemp("logins") / "kafka", tokens.keys, tokens.audience) as started:
        started.set_password("shop", "scram-secret")
        yield started


async def use(node: LoginKafka, door: str, **login: Any) -> str:
    """Ask for the end of a topic through a door; return "in", or the line of the refusal."""
    await make_topics(load_settings(broker=node.url, partitions=1))
    settings = load_settings(
        broker=node.door(door), request_timeout_s=PATIENCE_S, connect_timeout_s=PATIENCE_S, **login
    )
    try:
        ends = await high_watermarks(settings, [TopicPartition(topic_name(settings, CLICKS), 0)])
    except BrokerError as refused:
        line = str(refused)
        assert "\n" not in line
        assert "secret" not in line.replace("its secret", "").replace("_SECRET", "")
        return line
    assert ends == {TopicPartition(topic_name(settings, CLICKS), 0): 0}
    return "in"


def oauth(tokens: TokenServer, secret: str = "client secret", **more: Any) -> dict[str, Any]:
    return {
        "broker_oauth_token_url": tokens.url,
        "broker_oauth_client_id": CLIENT,
        "broker_oauth_client_secret": secret,
    } | more


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_scram(node: LoginKafka, mechanism: str) -> None:
    login = {"broker_sasl_mechanism": mechanism, "broker_username": "shop", "broker_password": "scram-secret"}
    assert await use(node, "SCRAM", **login) == "in"
    assert "refuses the login 'shop': check " in await use(node, "SCRAM", **login | {"broker_password": "old-secret"})
    assert "refuses the login 'nobody'" in await use(node, "SCRAM", **login | {"broker_username": "nobody"})
    assert "it may ask for a login, and none is set" in await use(node, "SCRAM")


async def test_a_mechanism_that_the_door_does_not_take_is_named(node: LoginKafka) -> None:
    line = await use(node, "SCRAM", broker_username="shop", broker_password="scram-secret")
    assert "takes no login by PLAIN: set WHEREWITHAL_BROKER_SASL_MECHANISM to one it takes" in line


async def test_plain_over_tls(node: LoginKafka) -> None:
    login = {
        "broker_security_protocol": "SASL_SSL",
        "broker_ca_file": node.authority.file,
        "broker_username": "shop",
        "broker_password": PASSWORD,
    }
    assert await use(node, "PLAINTLS", **login) == "in"
    assert "refuses the login 'shop'" in await use(node, "PLAINTLS", **login | {"broker_password": "x"})


async def test_a_client_certificate_with_and_without_a_login_and_a_locked_key(node: LoginKafka, tmp_path: Path) -> None:
    certificate, key = node.authority.issue("client")
    locked, its_key = node.authority.issue("locked", password="key-secret")
    tls = {"broker_tls": True, "broker_ca_file": node.authority.file}
    shown = tls | {"broker_certificate_file": certificate, "broker_key_file": key}
    assert await use(node, "MTLS", **shown) == "in"
    hidden = tls | {"broker_certificate_file": locked, "broker_key_file": its_key, "broker_key_password": "key-secret"}
    assert await use(node, "MTLS", **hidden) == "in"
    login = {"broker_sasl_mechanism": "SCRAM-SHA-512", "broker_username": "shop", "broker_password": "scram-secret"}
    assert await use(node, "SCRAMMTLS", **shown | login) == "in"
    joined = tmp_path / "joined.pem"
    joined.write_text(certificate.read_text() + key.read_text())
    assert await use(node, "MTLS", **tls | {"broker_certificate_file": joined}) == "in"


async def test_a_door_that_wants_a_certificate_says_so_and_one_of_a_stranger_is_told(
    node: LoginKafka, tmp_path: Path
) -> None:
    from support.servers.certificates import Authority

    tls = {"broker_tls": True, "broker_ca_file": node.authority.file}
    assert "set WHEREWITHAL_BROKER_CERTIFICATE_FILE" in await use(node, "MTLS", **tls)
    stranger, key = Authority(tmp_path / "other").issue("stranger")
    line = await use(node, "MTLS", **tls | {"broker_certificate_file": stranger, "broker_key_file": key})
    assert "it may not trust WHEREWITHAL_BROKER_CERTIFICATE_FILE" in line


async def test_tokens_by_client_credentials(node: LoginKafka, tokens: TokenServer) -> None:
    assert await use(node, "OAUTH", **oauth(tokens, broker_oauth_scope="kafka")) == "in"
    assert tokens.asked[-1] == {"grant_type": ["client_credentials"], "scope": ["kafka"]}
    line = await use(node, "OAUTH", **oauth(tokens, secret="old secret"))
    assert f"asks for a token, and the token server {tokens.url} refuses the client" in line
    assert "(401 invalid_client): check WHEREWITHAL_BROKER_OAUTH_CLIENT_ID" in line


@pytest.mark.parametrize(
    ("changed", "value", "told"),
    [
        ("life_s", -3600.0, "refuses the token: check that its issuer, audience and scope"),
        ("audience", "billing", "refuses the token: check that its issuer, audience and scope"),
        (
            "answer",
            (200, b"<html>log in</html>"),
            "answered 200 and no JSON: check that WHEREWITHAL_",
        ),
        ("answer", (503, b"<html>busy</html>"), "answered 503 and no JSON"),
        ("answer", (200, b'{"token_type": "Bearer"}'), "answered without an access_token"),
        ("answer", (302, b"{}"), "refuses the client 'shop:worker' (302 without a reason)"),
    ],
)
async def test_a_token_that_is_none_or_not_taken_is_told(
    node: LoginKafka, tokens: TokenServer, monkeypatch: pytest.MonkeyPatch, changed: str, value: Any, told: str
) -> None:
    monkeypatch.setattr(tokens, changed, value)
    assert told in await use(node, "OAUTH", **oauth(tokens))


async def test_a_token_server_that_is_away_is_told_apart_from_the_broker(
    node: LoginKafka, tokens: TokenServer, unused_port: int
) -> None:
    url = f"http://127.0.0.1:{unused_port}/token"
    line = await use(node, "OAUTH", **oauth(tokens) | {"broker_oauth_token_url": url})
    assert f"the token server {url} cannot be reached" in line


async def test_without_a_token_the_door_of_tokens_asks_for_a_login(node: LoginKafka) -> None:
    assert "it may ask for a login, and none is set" in await use(node, "OAUTH")
