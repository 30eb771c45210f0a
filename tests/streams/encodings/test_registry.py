"""The registry is asked once for each schema, waited for within bounds, and told apart from what is none."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.encoded import framed
from support.patience import PATIENCE_S
from support.servers.certificates import SOUND, Authority
from support.servers.fake_registry import FakeRegistry
from support.servers.ports import reserve_port

from streams.encodings.encoding import Encoding
from streams.encodings.reading import ValueReader, open_values
from streams.encodings.registry import MAX_KNOWN, REFUSED_S, Registry
from streams.encodings.registry_client import MAX_SCHEMA_BYTES
from streams.exceptions import ConfigurationError, RegistryAwayError, RegistryRefusalError
from streams.records.rejection import Reason, Rejection
from streams.settings import Settings, load_settings

NUMBER = {"type": "record", "name": "shop.Number", "fields": [{"name": "n", "type": "int"}]}
FIVE = b"\x0a"


def settings_of(registry: FakeRegistry | str, **more: Any) -> Settings:
    url = registry if isinstance(registry, str) else registry.url
    return load_settings(schema_registry_url=url, **{"schema_registry_patience_s": 30.0} | more)


def values_of(registry: FakeRegistry | str, **more: Any) -> ValueReader:
    return open_values(settings_of(registry, **more), Encoding.CONFLUENT)


async def detail_of(values: ValueReader, value: bytes) -> str:
    [found] = await values.read([value])
    assert isinstance(found, Rejection)
    assert found.reason is Reason.MALFORMED
    return found.detail


async def test_a_schema_is_asked_for_once(registry: FakeRegistry) -> None:
    schema_id = registry.add(json.dumps(NUMBER))
    values = values_of(registry)
    for _ in range(3):
        assert await values.read([framed(schema_id, FIVE)] * 3) == [b'{"n":5}'] * 3
    assert len(registry.asked) == 1


async def test_an_id_that_means_nothing_is_asked_for_again_after_a_while(registry: FakeRegistry) -> None:
    now = 0.0
    known = Registry(settings_of(registry), lambda: now)
    values = ValueReader(Encoding.CONFLUENT, known)
    for _ in range(3):
        assert "schema 1: expected it in the registry, found none" in await detail_of(values, framed(1, FIVE))
    assert len(registry.asked) == 1
    registry.add(json.dumps(NUMBER))
    assert "found none" in await detail_of(values, framed(1, FIVE))
    now = REFUSED_S
    assert await values.read([framed(1, FIVE)]) == [b'{"n":5}']


async def test_ids_at_random_take_no_more_memory(registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.encodings.registry.MAX_KNOWN", 5)
    known = Registry(settings_of(registry))
    for schema_id in range(20):
        await known.ask(schema_id)
    assert [schema_id for schema_id in range(20) if known.known(schema_id)] == [15, 16, 17, 18, 19]
    assert MAX_KNOWN > 5


async def test_values_are_read_with_the_schema_that_they_name(registry: FakeRegistry) -> None:
    first = registry.add(json.dumps(NUMBER))
    # Incompatible: the same field is another type.
    second = registry.add(json.dumps(NUMBER | {"fields": [{"name": "n", "type": "string"}]}))
    assert await values_of(registry).read([framed(first, FIVE), framed(second, b"\x02a")]) == [b'{"n":5}', b'{"n":"a"}']


async def test_a_value_that_becomes_far_more_json_is_too_large(registry: FakeRegistry) -> None:
    item = {"type": "record", "name": "Item", "fields": [{"name": "a" * 500, "type": "boolean"}]}
    many = NUMBER | {"fields": [{"name": "n", "type": {"type": "array", "items": item}}]}
    schema_id = registry.add(json.dumps(many))
    # 20,000 items of one byte each.
    [found] = await values_of(registry).read([framed(schema_id, b"\xc0\xb8\x02" + b"\x01" * 20_000 + b"\x00")])
    assert isinstance(found, Rejection)
    assert found.reason is Reason.TOO_LARGE
    assert "as JSON" in found.detail


async def test_references_are_followed(registry: FakeRegistry) -> None:
    line = NUMBER | {"name": "shop.Line", "fields": [{"name": "number", "type": "shop.Number"}]}
    registry.add(json.dumps(NUMBER), subject="numbers/of:shop")
    registry.add(json.dumps(line), references=[("shop.Number", "numbers/of:shop")], subject="lines")
    top = registry.add('"shop.Line"', references=[("shop.Line", "lines"), ("shop.Number", "numbers/of:shop")])
    assert await values_of(registry).read([framed(top, FIVE)]) == [b'{"number":{"n":5}}']


async def test_json_is_taken_without_its_references(registry: FakeRegistry) -> None:
    schema_id = registry.add('{"type": "object"}', "JSON", [("other.json", "nowhere")])
    values = [framed(schema_id, text) for text in (b' {"a": 1}\n', b"[1]", b"")]
    found = await values_of(registry).read(values)
    assert found[0] == b'{"a": 1}'
    assert all(isinstance(one, Rejection) and "expected a JSON object" in one.detail for one in found[1:])


async def test_protobuf_is_compiled_with_its_references(registry: FakeRegistry) -> None:
    registry.add('syntax = "proto3"; message Item { string id = 1; }', "PROTOBUF", subject="item")
    text = 'syntax = "proto3"; import "item.proto"; message Order { Item item = 1; }'
    schema_id = registry.add(text, "PROTOBUF", [("item.proto", "item")])
    assert await values_of(registry).read([framed(schema_id, b"\x00\x0a\x03\x0a\x01a")]) == [b'{"item":{"id":"a"}}']


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({"schema": "no"}, "expected a schema of Avro"),
        ({"schema": 5}, "expected the text of a schema"),
        ({"schema": "x", "schemaType": "THRIFT"}, "found 'THRIFT'"),
        ({"schema": " " * MAX_SCHEMA_BYTES + '"int"'}, f"expected at most {MAX_SCHEMA_BYTES} bytes"),
        ({"schema": "{}", "references": [{"name": "a", "subject": "none", "version": 1}]}, "version 1 of 'none'"),
        ({"schema": "{}", "references": [{"name": "a"}]}, "a name, a subject and a version"),
        ({"schema": "{}", "references": [{"name": "a", "subject": "circle", "version": 1}]}, "none to itself"),
    ],
)
async def test_a_schema_that_is_refused_is_one_letter(
    registry: FakeRegistry, schema: dict[str, Any], found: str
) -> None:
    registry.schemas[1] = schema
    registry.add("{}", references=[("a", "circle")], subject="circle")
    detail = await detail_of(values_of(registry), framed(1, FIVE))
    assert detail.startswith("record: schema 1: expected")
    assert found in detail


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ((200, b"<html>Welcome</html>"), "answered 200 and not as one: check that WHEREWITHAL_SCHEMA_REGISTRY_URL"),
        ((200, b"[1]"), "answered 200 and not as one"),
        ((200, b"null"), "answered 200 and not as one"),
        ((200, b"[" * 100_000), "answered 200 and not as one"),
        ((404, b"<html>nothing here</html>"), "answered 404 and not as one"),
        ((404, b'{"error": "no such path"}'), "answered 404 and not as one"),
        ((302, b""), "answered 302 and not as one"),
        ((401, b"<html>who are you</html>"), r"refuses this program \(401\)"),
        ((403, b'{"error_code": 40301}'), r"refuses this program \(403\)"),
    ],
)
async def test_what_waiting_does_not_mend_ends_at_once(
    registry: FakeRegistry, answer: tuple[int, bytes], found: str
) -> None:
    registry.answer = answer
    with pytest.raises(RegistryRefusalError, match=found) as caught:
        await values_of(registry).read([framed(1, FIVE)])
    assert "\n" not in str(caught.value)
    assert len(registry.asked) == 1


@pytest.mark.parametrize(
    "answer", [(500, b"<html>oops</html>"), (503, b""), (429, b"{}"), (500, b'{"error_code": 50001}')]
)
async def test_a_registry_that_fails_is_asked_again_and_then_given_up(
    registry: FakeRegistry, answer: tuple[int, bytes]
) -> None:
    registry.answer = answer
    # By the clock of the machine the first question may take all of the patience.
    asking = Registry(settings_of(registry, schema_registry_patience_s=1.0), lambda: 0.6 * len(registry.asked))
    with pytest.raises(RegistryAwayError, match=f"answered {answer[0]}: look into its log, for 1 s; start again"):
        await asking.ask(1)
    assert len(registry.asked) == 2


async def test_a_registry_that_is_not_there_is_named() -> None:
    url = f"http://127.0.0.1:{reserve_port()}"
    with pytest.raises(RegistryAwayError, match=f"{url} cannot be reached .*for 0.5 s"):
        await values_of(url, schema_registry_patience_s=0.5).read([framed(1, FIVE)])


async def test_a_registry_that_comes_back_is_waited_for(
    registry: FakeRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    schema_id = registry.add(json.dumps(NUMBER))
    registry.answer = 503, b""

    def said() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == "wherewithal"]

    with caplog.at_level(logging.INFO, "wherewithal"):
        reading = asyncio.create_task(
            values_of(registry, schema_registry_patience_s=PATIENCE_S).read([framed(schema_id, FIVE)])
        )
        async with asyncio.timeout(PATIENCE_S):
            while not said():
                await asyncio.sleep(0.01)
            registry.answer = None
            assert await reading == [b'{"n":5}']
    assert said() == ["waiting for the schema registry", "the schema registry is back"]


@pytest.mark.parametrize("body", [b" " * 1000, b'{"schema": "' + b"a" * 1000])
async def test_a_registry_that_answers_byte_by_byte_is_slow(registry: FakeRegistry, body: bytes) -> None:
    registry.answer, registry.drip_s = (200, body), 0.05
    with pytest.raises(RegistryAwayError, match=r"did not answer within 0\.3 s"):
        await values_of(registry, schema_registry_timeout_s=0.3, schema_registry_patience_s=0.5).read([framed(1, FIVE)])


async def test_the_next_address_is_asked_where_one_is_away(registry: FakeRegistry) -> None:
    schema_id = registry.add(json.dumps(NUMBER))
    values = values_of(f"http://127.0.0.1:{reserve_port()},{registry.url}/")
    assert await values.read([framed(schema_id, FIVE)]) == [b'{"n":5}']


async def test_a_password_is_read_again_for_each_question(registry: FakeRegistry, tmp_path: Path) -> None:
    first, second = registry.add(json.dumps(NUMBER)), registry.add(json.dumps(NUMBER))
    secret = tmp_path / "password"
    secret.write_text("old\n")
    registry.login = ("reader", "old")
    values = values_of(registry, schema_registry_username="reader", schema_registry_password_file=secret)
    assert await values.read([framed(first, FIVE)]) == [b'{"n":5}']
    registry.login = ("reader", "new")
    # The registry has it first: until the file has it too, the registry is waited for.
    threading.Timer(0.5, lambda: secret.write_text("new\n")).start()
    assert await values.read([framed(second, FIVE)]) == [b'{"n":5}']


async def test_a_bearer_token_is_shown(registry: FakeRegistry) -> None:
    schema_id = registry.add(json.dumps(NUMBER))
    registry.login = "token-1"
    assert await values_of(registry, schema_registry_token="token-1").read([framed(schema_id, FIVE)]) == [b'{"n":5}']
    with pytest.raises(RegistryRefusalError, match="401"):
        await values_of(registry, schema_registry_token="token-2").read([framed(schema_id, FIVE)])


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def secure(authority: Authority) -> Iterator[FakeRegistry]:
    context = authority.sign(SOUND)
    with FakeRegistry(context) as started:
        yield started


async def test_a_certificate_of_an_authority_is_trusted_and_no_other(
    secure: FakeRegistry, authority: Authority
) -> None:
    schema_id = secure.add(json.dumps(NUMBER))
    trusting = values_of(secure, schema_registry_ca_file=authority.file)
    assert await trusting.read([framed(schema_id, FIVE)]) == [b'{"n":5}']
    with pytest.raises(RegistryRefusalError, match=r"not trusted .* set WHEREWITHAL_SCHEMA_REGISTRY_CA_FILE"):
        await values_of(secure).read([framed(schema_id, FIVE)])


async def test_a_client_shows_its_certificate(authority: Authority) -> None:
    context = authority.sign(SOUND)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    certificate, key = authority.issue("reader", password="locked")
    own = {
        "schema_registry_ca_file": authority.file,
        "schema_registry_certificate_file": certificate,
        "schema_registry_key_file": key,
    }
    with FakeRegistry(context) as registry:
        schema_id = registry.add(json.dumps(NUMBER))
        values = values_of(registry, **own, schema_registry_key_password="locked")
        assert await values.read([framed(schema_id, FIVE)]) == [b'{"n":5}']
    for wrong in ({}, {"schema_registry_key_password": "other"}):
        with pytest.raises(ConfigurationError, match="WHEREWITHAL_SCHEMA_REGISTRY_CERTIFICATE_FILE: expected"):
            values_of("https://127.0.0.1:1", **own, **wrong)


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"schema_registry_ca_file": __file__}, "CA_FILE: expected CA certificates in PEM, found something else"),
        (
            {"schema_registry_ca_file": __file__, "schema_registry_certificate_file": __file__},
            "CA_FILE: expected CA certificates in PEM, found something else",
        ),
        ({"schema_registry_certificate_file": __file__}, "CERTIFICATE_FILE: expected a certificate and its key"),
        ({"schema_registry_certificate_file": "no/such.pem"}, "CERTIFICATE_FILE: expected a PEM file at no/such.pem"),
        ({"schema_registry_ca_file": "no/such.pem"}, "CA_FILE: expected a PEM file at no/such.pem, found none"),
        (
            {"schema_registry_username": "a", "schema_registry_password_file": "no/such"},
            "PASSWORD_FILE: expected a file with a secret at no/such",
        ),
    ],
)
def test_files_that_are_not_there_are_named_at_the_start(more: dict[str, Any], found: str) -> None:
    with pytest.raises(ConfigurationError, match=found):
        values_of("https://127.0.0.1:1", **more)
