"""The instance id of a worker, and what refuses one."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from support.command import VIEW, run, write_lines
from support.encoders import HashEncoder
from support.runs import quick_settings

from streams.broker_settings import EMBEDDED
from streams.exceptions import ConfigurationError
from streams.membership_settings import HOSTNAME, MAX_INSTANCE_ID, LeaveGroup, instance_id
from streams.settings import load_settings
from streams.worker.flow import Flow


def test_a_worker_has_no_instance_id_unless_it_is_given_one() -> None:
    assert instance_id(load_settings()) is None
    assert instance_id(load_settings(group_instance_id="worker-0")) == "worker-0"
    assert instance_id(load_settings(group_instance_id=HOSTNAME)) == socket.gethostname()
    assert load_settings().leave_group is LeaveGroup.NEVER


@pytest.mark.parametrize("value", ["", ".", "..", "a b", "a/b", "ä", "@pod", "a\n", "n" * (MAX_INSTANCE_ID + 1)])
def test_an_instance_id_that_kafka_does_not_take_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="WHEREWITHAL_GROUP_INSTANCE_ID: expected 1 to 249 letters"):
        load_settings(group_instance_id=value)


@pytest.mark.parametrize("name", ["", "my host", "läden", "ward/7"])
async def test_a_machine_whose_name_is_no_id_is_refused_in_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    settings = quick_settings(tmp_path, broker=EMBEDDED, group_instance_id=HOSTNAME)
    with pytest.raises(
        ConfigurationError, match=r"WHEREWITHAL_GROUP_INSTANCE_ID: of the machine's name, expected 1 to"
    ):
        async with Flow(settings, encoder=HashEncoder()):
            pass


def test_an_end_that_is_neither_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHEREWITHAL_LEAVE_GROUP", "sometimes")
    with pytest.raises(ConfigurationError, match=r"WHEREWITHAL_LEAVE_GROUP: .*'sometimes'"):
        load_settings()


async def test_the_embedded_broker_is_refused_for_it_takes_two_workers_of_one_id_for_the_same(tmp_path: Path) -> None:
    settings = quick_settings(tmp_path, broker=EMBEDDED, group_instance_id="w1")
    with pytest.raises(ConfigurationError, match="WHEREWITHAL_GROUP_INSTANCE_ID: expected a broker that tells two"):
        async with Flow(settings, encoder=HashEncoder()):
            pass


def test_a_replay_is_no_member_under_the_id_of_a_worker(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "events.ndjson", [{"topic": "clicks", "value": VIEW}])
    code, _, said = run("replay", file, WHEREWITHAL_GROUP_INSTANCE_ID="w1")
    assert code == 0, said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "the following arguments are required: INSTANCE"),
        (["w/1"], "argument INSTANCE: expected 1 to 249 letters"),
        (["w1"], "WHEREWITHAL_BROKER: expected kafka://host:port, found no broker to leave a group of"),
    ],
)
def test_leave_says_what_it_needs(words: list[str], expected: str) -> None:
    code, out, said = run("leave", *words)
    assert (code, out) == (2, "")
    assert expected in said
    assert len(said.splitlines()) == 1
