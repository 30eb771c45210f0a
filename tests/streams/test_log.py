"""The log: what is written of ours and of libraries."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest

from streams.exceptions import StateMismatchError
from streams.log import REPEAT_S, Brevity, JSONFormatter


class Written:
    """A handler as the command line has it, whose lines are kept."""

    def __init__(self) -> None:
        self._stream = io.StringIO()
        self._handler = logging.StreamHandler(self._stream)
        self._handler.setFormatter(JSONFormatter())
        self._handler.addFilter(Brevity())

    def log(self, name: str, message: str, *args: object, at: float = 0.0, error: BaseException | None = None) -> None:
        exc_info = None if error is None else (type(error), error, None)
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
        written.log("aiokafka.conn", "Unable to connect to %s", f"broker-{tenth}", at=tenth / 10)
    assert written.messages == ["Unable to connect to broker-0", f"Unable to connect to broker-{REPEAT_S * 10:.0f}"]
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


def test_an_error_that_says_what_to_do_comes_without_a_traceback(written: Written) -> None:
    written.log("mode.services", "Crashed 1", error=StateMismatchError("the topic was made anew"))
    written.log("mode.services", "Crashed 2", error=RuntimeError("a bug"))
    first, second = written.lines
    assert "error" not in first
    assert "a bug" in second["error"]


def test_messages_of_ever_other_words_take_no_more_memory(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.log.MOST_MESSAGES", 10)
    brevity = Brevity()
    for number in range(100):
        assert brevity.filter(logging.LogRecord("library", logging.ERROR, "path", 1, f"{number}", (), None))
    assert len(brevity._said) <= 10
