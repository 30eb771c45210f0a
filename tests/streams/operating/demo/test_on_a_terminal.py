"""The demo on terminals of several widths, and on one that can do nothing: a few customers, all else real."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from pathlib import Path

import pytest
from support.paths import ROOT

FEW = """
import sys
from streams.cli import demo
from streams.cli.main import main

bought = demo.demo_orders()
told = {"1609", "1749"}
few = told | set(sorted({order.customer_id for order in bought})[:12])
demo.demo_orders = lambda: [order for order in bought if order.customer_id in few]
demo.LIVE_EVENTS = 200
sys.exit(main(["demo", *sys.argv[1:]]))
"""
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def environment(**more: str) -> dict[str, str]:
    dropped = ("WHEREWITHAL_", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM", "TTY_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return kept | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"} | more


def on_terminal(columns: int, *words: str, **more: str) -> tuple[int, str]:
    """Run the demo on a terminal of so many columns; return its exit code and all that it wrote."""
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        os.execve(sys.executable, [sys.executable, "-c", FEW, *words], environment(**more))  # pragma: no cover
    written = b""
    try:
        while part := os.read(terminal, 1 << 16):
            written += part
    except OSError:
        pass  # The other end was closed.
    finally:
        os.close(terminal)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), written.decode()


def lines_of(written: str) -> list[str]:
    """What stood on a line at some time: a line that is drawn anew begins with a return of the carriage."""
    return re.split(r"[\r\n]+", ESCAPES.sub("", written))


def check_page(text: str) -> None:
    assert re.search(r"event to score: p50 [\d,]+ ms, p95 [\d,]+ ms, p99 [\d,]+ ms", text)
    assert re.search(r"[\d,]+ events in = [\d,]+ applied \+ \d+ duplicates \+ 14 dead letters \+ 0 erased", text)
    assert "Foreseen: " in text
    assert "USD" in text
    assert "Traceback" not in text


@pytest.mark.skipif(sys.platform != "linux", reason="sets the size of a terminal")
@pytest.mark.parametrize("columns", [80, pytest.param(120, marks=pytest.mark.chaos)])
def test_no_line_is_wider_than_the_terminal_while_it_runs_and_after(columns: int) -> None:
    code, written = on_terminal(columns)
    assert code == 0, written[-2000:]
    lines = lines_of(written)
    assert max(map(len, lines)) <= columns
    assert any(line.startswith("live ") and "/" in line for line in lines), "a bar of its own for the paced stretch"
    check_page(" ".join(" ".join(lines).split()))


@pytest.mark.skipif(sys.platform != "linux", reason="sets the size of a terminal")
def test_a_narrow_terminal_without_abilities_gets_plain_lines_and_a_picture_its_file(tmp_path: Path) -> None:
    picture = tmp_path / "demo.svg"
    code, written = on_terminal(40, "--svg", str(picture), TERM="dumb", NO_COLOR="1")
    assert code == 0, written[-2000:]
    assert "\x1b" not in written
    lines = lines_of(written)
    assert max(map(len, lines)) <= 40
    check_page(" ".join(" ".join(lines).split()))
    assert picture.read_text(encoding="utf-8").startswith("<svg")
