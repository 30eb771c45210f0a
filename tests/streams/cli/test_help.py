"""What the command says of itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.command import environment
from support.paths import ROOT
from support.patience import PATIENCE_S

from streams.cli.main import COMMANDS, main


def help_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as left:
        main([*words, "--help"])
    assert left.value.code == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    return shown.out


def test_the_help_names_every_command_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    shown = help_of(capsys)
    assert shown.startswith("usage: wherewithal ")
    for name, summary in COMMANDS.items():
        assert f"{name} " in shown
        assert summary.split(",")[0].split(":")[0] in " ".join(shown.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_says_what_it_does_and_explains_every_argument(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = help_of(capsys, command)
    assert shown.startswith(f"usage: wherewithal {command} ")
    assert COMMANDS[command][1:].split(",")[0].split(":")[0] in " ".join(shown.split())
    described = [line for line in shown.splitlines() if line.startswith("  ")]
    arguments = [line for line in described if not line.startswith("   ")]
    assert arguments
    for position, line in enumerate(described):
        # A long option has its explanation on the next line.
        if line in arguments and len(line.split("  ")) < 3:
            assert described[position + 1].startswith("   "), f"{line.strip()} is not explained"


def test_no_help_imports_what_takes_seconds() -> None:
    heavy = {"torch", "transformers", "feast", "pandas", "pyarrow", "sentence_transformers"}
    # One after the other in one process: what any of them has imported stays.
    code = (
        "import sys\n"
        "from streams.cli.main import COMMANDS, main\n"
        "for words in [], *([command] for command in COMMANDS):\n"
        "    try: main([*words, '--help'])\n"
        "    except SystemExit: pass\n"
        f"    print(words, sorted({heavy!r} & set(sys.modules)), file=sys.stderr)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE_S, cwd=ROOT)
    assert ran.stderr.splitlines() == [f"{words} []" for words in ([], *([command] for command in COMMANDS))]


def test_the_command_is_installed() -> None:
    script = Path(sys.executable).parent / "wherewithal"
    ran = subprocess.run([script, "--help"], capture_output=True, text=True, timeout=PATIENCE_S, env=environment())
    assert ran.returncode == 0
    assert ran.stdout.startswith("usage: wherewithal ")
