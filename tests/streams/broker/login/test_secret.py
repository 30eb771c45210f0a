"""Secrets from settings and files, and certificates: read again at each login, and refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr
from support.servers.certificates import Authority

from streams.broker.login.secret import MAX_SECRET_BYTES, Secret, SecretUnreadableError
from streams.broker.login.tls import CertificateUnreadableError, client_context
from streams.exceptions import ConfigurationError

NAME = "WHEREWITHAL_BROKER_PASSWORD"


def test_a_secret_of_a_file_is_read_again_and_one_of_a_setting_stays(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    secret = Secret.of(None, file, NAME)
    assert secret == "first"
    file.write_text("second\r\n")
    assert secret.current() == "second"
    assert secret == "first"
    file.unlink()
    with pytest.raises(SecretUnreadableError, match=f"{NAME}_FILE: expected a file with a secret at {file}, found No"):
        secret.current()
    set_here = Secret.of(SecretStr("here"), None, NAME)
    assert set_here is not None
    assert set_here.current() is set_here
    assert Secret.of(None, None, NAME) is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "expected one line in {}, found none"),
        (b"\n\n", "expected one line in {}, found none"),
        (b"one\ntwo", "expected one line in {}, found more"),
        (b"x" * (MAX_SECRET_BYTES + 1), "expected one line in {}, found more"),
        (b"\xff\xfe", "expected a secret in UTF-8 in {}, found other bytes"),
    ],
)
def test_a_file_that_holds_no_secret_is_refused_in_one_line_that_does_not_repeat_it(
    tmp_path: Path, content: bytes, told: str
) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        Secret.of(None, file, NAME)
    assert str(refused.value) == f"{NAME}_FILE: {told.format(file)}"


def test_a_renewed_certificate_is_shown_from_the_next_connection_on(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("client")
    context = client_context(authority.file, certificate, key, None)
    renewed, its_key = authority.issue("renewed")
    # A key that does not belong to it is told, and the next refresh takes the pair.
    renewed.replace(certificate)
    with pytest.raises(CertificateUnreadableError, match="KEY_FILE: expected the key of the certificate"):
        context.refresh()
    its_key.replace(key)
    context.refresh()
    certificate.unlink()
    with pytest.raises(CertificateUnreadableError, match="WHEREWITHAL_BROKER_CERTIFICATE_FILE: expected a PEM file at"):
        context.refresh()


def test_a_locked_key_asks_for_its_password_in_one_line(tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path / "ca").issue("client", password="key-secret")
    with pytest.raises(ConfigurationError, match=r"KEY_PASSWORD: expected the password of the key .*, found none"):
        client_context(None, certificate, key, None)
    wrong = Secret.of(SecretStr("other"), None, "WHEREWITHAL_BROKER_KEY_PASSWORD")
    with pytest.raises(ConfigurationError, match="found one that does not open it"):
        client_context(None, certificate, key, wrong)


def test_files_that_are_no_certificates_are_refused(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing")
    with pytest.raises(ConfigurationError, match="WHEREWITHAL_BROKER_CERTIFICATE_FILE: expected a certificate at"):
        client_context(None, nothing, None, None)
    with pytest.raises(ConfigurationError, match="WHEREWITHAL_BROKER_CA_FILE: expected CA certificates in PEM"):
        client_context(nothing, None, None, None)
    certificate, _ = Authority(tmp_path / "ca").issue("client")
    with pytest.raises(ConfigurationError, match="WHEREWITHAL_BROKER_KEY_FILE: expected a PEM file at"):
        client_context(None, certificate, tmp_path / "none.key", None)
