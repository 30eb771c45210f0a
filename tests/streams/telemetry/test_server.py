"""The metrics and health server."""

from __future__ import annotations

import http.client
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.patience import PATIENCE_S

from streams.exceptions import ConfigurationError
from streams.settings import load_settings
from streams.telemetry import server as server_module
from streams.telemetry.metrics import Metrics
from streams.telemetry.server import Answer, Check, Server


def well() -> str | None:
    return None


@contextmanager
def serving(metrics: Metrics | None = None, live: Check = well, ready: Check = well) -> Iterator[int]:
    server = Server(load_settings(metrics_port=0), metrics or Metrics(), live, ready)
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


def get(port: int, path: str, method: str = "GET") -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.read().decode()
    finally:
        connection.close()


def test_metrics_are_shown_in_prometheus_text_format() -> None:
    metrics = Metrics()
    metrics.scores.inc(3)
    with serving(metrics) as port:
        status, kind, body = get(port, "/metrics")
    assert (status, kind.split(";")[0]) == (200, "text/plain")
    samples = {s.name: s.value for family in text_string_to_metric_families(body) for s in family.samples}
    assert samples["wherewithal_scores_total"] == 3


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_is_not_of_this_machine_is_named(host: str) -> None:
    with pytest.raises(ConfigurationError, match=f"WHEREWITHAL_METRICS_HOST: {host}:0 cannot be used"):
        Server(load_settings(metrics_host=host, metrics_port=0), Metrics(), well, well)


def test_a_load_balancer_may_ask_for_the_head_alone() -> None:
    with serving(ready=lambda: "starting") as port:
        assert get(port, "/livez", "HEAD")[::2] == (200, "")
        assert get(port, "/readyz", "HEAD")[::2] == (503, "")


def test_a_query_after_the_path_changes_nothing() -> None:
    with serving() as port:
        assert get(port, "/metrics?name=x")[0] == get(port, "/livez?verbose")[0] == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_says_ok_or_why_not(path: str) -> None:
    reasons: list[str | None] = [None, "the event loop has not run for 31 s"]
    check = {path[1:-1]: lambda: reasons[0]}
    with serving(**check) as port:
        assert get(port, path) == (200, "text/plain; charset=utf-8", "ok\n")
        reasons.reverse()
        assert get(port, path) == (503, "text/plain; charset=utf-8", "the event loop has not run for 31 s\n")


def test_liveness_and_readiness_are_judged_apart() -> None:
    with serving(ready=lambda: "starting") as port:
        assert get(port, "/livez")[0] == 200
        assert get(port, "/readyz")[0] == 503


@pytest.mark.parametrize("path", ["/", "/metric", "/livez/", "/../metrics"])
def test_any_other_path_is_not_found_and_says_which_there_are(path: str) -> None:
    with serving() as port:
        status, _, body = get(port, path)
    assert (status, body) == (404, "try /metrics, /livez or /readyz\n")


def test_a_port_that_is_taken_is_a_wrong_setting_in_one_line() -> None:
    with serving() as port, pytest.raises(ConfigurationError) as refused:
        Server(load_settings(metrics_port=port), Metrics(), well, well)
    line = str(refused.value)
    assert line.startswith(f"WHEREWITHAL_METRICS_PORT: 127.0.0.1:{port} cannot be used")
    assert "\n" not in line


def test_the_port_is_closed_after_the_stop() -> None:
    with serving() as port:
        get(port, "/livez")
    with pytest.raises(ConnectionRefusedError):
        get(port, "/livez")


def test_a_check_that_takes_its_time_does_not_hold_up_the_others() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> str | None:
        begun.set()
        return None if go_on.wait(PATIENCE_S) else "nobody let it go on"

    with serving(ready=slow) as port:
        answers: list[Any] = []
        asking = threading.Thread(target=lambda: answers.append(get(port, "/readyz")))
        asking.start()
        assert begun.wait(PATIENCE_S)
        assert get(port, "/livez")[0] == 200
        assert not answers
        go_on.set()
        asking.join(PATIENCE_S)
    assert answers[0][0] == 200


def test_a_client_that_says_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "CLIENT_S", 0.1)
    with serving() as port, socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        assert client.recv(1) == b"", "the server closed the connection"
        assert get(port, "/livez")[0] == 200


def test_a_check_that_raises_is_logged_and_the_server_goes_on(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken() -> str | None:
        raise RuntimeError("a bug in a check")

    with caplog.at_level(logging.ERROR, "wherewithal"), serving(live=broken) as port:
        with pytest.raises(http.client.RemoteDisconnected):
            get(port, "/livez")
        assert get(port, "/readyz")[0] == 200
    assert [record.getMessage() for record in caplog.records] == ["a request for metrics or health failed"]
    assert "Traceback" not in capfd.readouterr().err


class Bell:
    """A resource that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def get(self) -> Answer:
        return Answer(200, b'{"rung": %d}' % len(self.asked))

    def post(self, body: bytes) -> Answer:
        self.asked.append(body)
        return Answer(202, b"{}")


@contextmanager
def serving_a_bell() -> Iterator[tuple[int, Bell]]:
    bell = Bell()
    server = Server(load_settings(metrics_port=0), Metrics(), well, well, {"/bell": bell})
    server.start()
    try:
        yield server.port, bell
    finally:
        server.stop()


def test_a_resource_is_asked_by_post_and_shown_by_get() -> None:
    with serving_a_bell() as (port, bell):
        assert post(port, "/bell", b'{"times": 2}') == 202
        assert get(port, "/bell?now") == (200, "application/json", '{"rung": 1}')
        assert get(port, "/bell", "HEAD")[::2] == (200, "")
    assert bell.asked == [b'{"times": 2}']


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/livez", {"Content-Type": "application/json", "Content-Length": "2"}, 404),
        ("/bell", {"Content-Type": "text/plain", "Content-Length": "2"}, 415),
        ("/bell", {"Content-Type": "application/json"}, 411),
        ("/bell", {"Content-Type": "application/json", "Content-Length": "two"}, 411),
        ("/bell", {"Content-Type": "application/json", "Content-Length": "1025"}, 413),
    ],
)
def test_what_no_client_of_a_resource_sends_is_refused_unread(path: str, headers: dict[str, str], status: int) -> None:
    with serving_a_bell() as (port, bell):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        connection.putrequest("POST", path)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(b"{}")
        assert connection.getresponse().status == status
        connection.close()
        assert not bell.asked


def post(port: int, path: str, body: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()
