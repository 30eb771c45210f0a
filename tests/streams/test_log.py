"""The log: what is written of ours and of libraries."""

from __future__ import annotations

import io
import json
import logging
from types import EllipsisType
from typing import Any

import pytest
from aiokafka.errors import NodeNotReadyError
from hypothesis import given
from hypothesis import strategies as st

from streams.brevity import ASKED_AGAIN, ASKED_AGAIN_S, REPEAT_S, Brevity
from streams.exceptions import StateMismatchError
from streams.log import JSONFormatter


class Written:
    """A handler as the command line has it, whose lines are kept."""

    def __init__(self) -> None:
        self._stream = io.StringIO()
        self._handler = logging.StreamHandler(self._stream)
        self._handler.setFormatter(JSONFormatter())
        self._handler.addFilter(Brevity())

    def log(
        self, name: str, message: str, *args: object, at: float = 0.0, error: BaseException | EllipsisType | None = None
    ) -> None:
        """Log a message with an error; `...` is what `exception` finds where none is being handled."""
        exc_info = (None, None, None) if error is ... else None if error is None else (type(error), error, None)
        record = logging.LogRecord(name, logging.ERROR, "path", 1, message, args, exc_info)
        record.created = at
        self._handler.handle(record)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]

    @property
    def messages(self) -> list[str]:
        return [line["message"] for line in self.lines]


@pytest.fixture
def written() -> Written:
    return Written()


def test_a_library_says_the_same_once_in_a_while_and_how_often_it_was_left_out(written: Written) -> None:
    for tenth in range(int(REPEAT_S * 10) + 1):
        written.log("aiokafka.conn", "Closing connection to %s", f"broker-{tenth}", at=tenth / 10)
    assert written.messages == ["Closing connection to broker-0", f"Closing connection to broker-{REPEAT_S * 10:.0f}"]
    assert [line.get("left_out") for line in written.lines] == [None, REPEAT_S * 10 - 1]


def test_other_messages_and_other_loggers_are_not_left_out(written: Written) -> None:
    for name in ("aiokafka.conn", "aiokafka.client"):
        for message in ("one", "two"):
            written.log(name, message)
    assert written.messages == ["one", "two"] * 2


def test_every_line_of_ours_is_written(written: Written) -> None:
    for _ in range(3):
        written.log("wherewithal", "partitions lost, rejoining")
    assert len(written.lines) == 3


WHILE_A_BROKER_IS_AWAY = [
    ("aiokafka", "Unable connect to node with id %s: %s"),
    ("aiokafka", "Unable to update metadata from %s"),
    ("aiokafka.consumer.fetcher", "Failed fetch messages from %s: %s"),
    ("aiokafka.consumer.group_coordinator", "Marking the coordinator dead (node %s)for group %s."),
    ("aiokafka.consumer.group_coordinator", "Heartbeat session expired - marking coordinator dead"),
    ("aiokafka.producer.sender", "Got error produce response: %s"),
]


def test_all_that_a_client_says_of_a_broker_that_is_away_is_one_line_a_minute(written: Written) -> None:
    for second in range(int(ASKED_AGAIN_S) + 1):
        for name, message in WHILE_A_BROKER_IS_AWAY:
            written.log(name, message, *("node-7",) * message.count("%s"), at=float(second))
    first, second_line = written.lines
    assert first["message"] == second_line["message"] == ASKED_AGAIN
    assert first["said"] == "Unable connect to node with id node-7: node-7"
    assert {line["level"] for line in written.lines} == {"warning"}
    assert second_line["left_out"] == ASKED_AGAIN_S * len(WHILE_A_BROKER_IS_AWAY) - 1


def test_what_a_client_does_not_repeat_is_said_in_its_own_words(written: Written) -> None:
    written.log("aiokafka.cluster", "Topic %s is not authorized for this client", "reviews")
    written.log("other.library", "Unable connect to something")
    assert written.messages == ["Topic reviews is not authorized for this client", "Unable connect to something"]


@pytest.mark.parametrize(
    "error", [StateMismatchError("the topic was made anew"), NodeNotReadyError(), OSError(5, "io")]
)
def test_an_explained_error_comes_without_a_traceback_and_without_a_crash(
    written: Written, error: BaseException
) -> None:
    written.log("mode.services", "[^--Recovery]: Crashed reason=%r", error, error=error)
    written.log("aiokafka.consumer.fetcher", "Unexpected error in fetcher routine", error=error)
    (line,) = written.lines
    assert line["message"] == "Unexpected error in fetcher routine"
    assert "error" not in line


def test_a_crash_told_where_its_error_is_not_handled_any_more_is_judged_by_its_reason(written: Written) -> None:
    written.log("mode.services", "[^App]: Crashed reason=%r", StateMismatchError("the topic was made anew"), error=...)
    written.log("mode.services", "[^App]: Crashed reason=%r", RuntimeError("a bug"), error=...)
    (line,) = written.lines
    assert line["message"] == "[^App]: Crashed reason=RuntimeError('a bug')"
    assert "error" not in line


def test_a_bug_comes_with_its_traceback(written: Written) -> None:
    bug = RuntimeError("a bug")
    written.log("mode.services", "[^--Recovery]: Crashed reason=%r", bug, error=bug)
    (line,) = written.lines
    assert "a bug" in line["error"]


CONTROLS = "\x00\x07\x08\x1b\x7f\x85\x9b\n\r\u2028\u2029\u202e\u2066\ud800"


@given(st.text() | st.text(CONTROLS, min_size=1))
def test_no_text_steers_a_terminal_or_breaks_a_line(text: str) -> None:
    record = logging.LogRecord("library", logging.ERROR, "path", 1, "%s", (text,), None)
    record.fields = {"found": text}
    line = JSONFormatter().format(record)
    assert not set(line) & set(CONTROLS)
    assert json.loads(line)["found"] == json.loads(line)["message"] == text


def test_messages_of_ever_other_words_take_no_more_memory(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.brevity.MOST_MESSAGES", 10)
    brevity = Brevity()
    for number in range(100):
        assert brevity.filter(logging.LogRecord("library", logging.ERROR, "path", 1, f"{number}", (), None))
    assert len(brevity._said) <= 10
