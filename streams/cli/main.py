"""The command `wherewithal`: parses arguments, runs a command, and turns known errors into one line."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn

from streams.cli.stopping import ToldToEnd, leave

if TYPE_CHECKING:
    from aiokafka.errors import KafkaError

COMMANDS: Final = {
    "demo": "run the whole flow on bundled data, with a live table of scores",
    "replay": "run the whole flow over NDJSON files, then exit",
    "worker": "run a worker against a cluster",
    "broker": "run the embedded broker by itself, to try a worker against",
    "produce": "publish NDJSON events to the input topics",
    "features": "show what the online store serves of a user",
    "scores": "show the stream of scores",
    "erase": "forget a user: request it, wait for it, and show the receipt",
    "republish": "publish every user again: to an online store that lost rows, or was restored",
    "redrive": "send dead letters back to their topics",
    "acls": "print the commands that give a login the rights it needs",
    "history": "fold a history into features as of given instants",
    "consistency": "compare what was served with a history folded again",
    "train": "fit the scorer and write its artefact",
    "evaluate": "judge the scorer beside baselines and write the report",
    "backtest": "hold the forecast of spend to real orders, beside what it has to beat",
    "finetune": "adapt the encoder to texts and what is known of them",
}
"""The commands, each in the module of its name under `streams.cli`."""


class _Overview(argparse.HelpFormatter):
    """Keeps every command on one line with what it does."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        # argparse measures commands without their indent, and would break the line of the longest.
        self._action_max_length = max(map(len, COMMANDS)) + 2 * self._indent_increment


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (try --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code: 2 for wrong arguments and settings, 1 for a failure at work."""
    words = list(sys.argv[1:] if argv is None else argv)
    with _told_to_end() as told:
        try:
            return _run(_parse(words))
        except ToldToEnd as told_to_end:
            return 128 + told_to_end.number
        except KeyboardInterrupt:
            return 128 + (told[0] if told else signal.SIGINT)


@contextmanager
def _told_to_end() -> Iterator[list[int]]:
    """Let SIGTERM end a command as Ctrl-C does, so that its broker stops and its folder goes; yield the signals."""
    told: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        told.append(number)
        handler = signal.getsignal(signal.SIGINT)
        # A shell has its background jobs ignore SIGINT.
        if not callable(handler):
            raise KeyboardInterrupt
        handler(signal.SIGINT, frame)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield told
    finally:
        signal.signal(signal.SIGTERM, before)


def _parse(words: Sequence[str]) -> argparse.Namespace:
    # Imports cost seconds and megabytes, so only the module of the command is imported.
    first = next((word for word in words if not word.startswith("-")), None)
    wanted = first if first in COMMANDS else None
    parser = _Parser(
        prog="wherewithal",
        description="What each shopper can and will spend, kept up to date.",
        formatter_class=_Overview,
    )
    parser.add_argument("--verbose", action="store_true", help="log what an operator may want to know")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        # The option may stand before or after the command. The absent one must not reset the other.
        command.add_argument(
            "--verbose", action="store_true", default=argparse.SUPPRESS, help="log what an operator may want to know"
        )
        if name == wanted:
            importlib.import_module(f"streams.cli.{name}").add_arguments(command)
    return parser.parse_args(words)


def _run(arguments: argparse.Namespace) -> int:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from aiokafka.errors import KafkaError

    from features.exceptions import FeaturesError
    from models.exceptions import ModelsError
    from streams.exceptions import ConfigurationError, StreamsError
    from streams.log import set_up_logging

    verbose = arguments.verbose or arguments.command == "worker"
    set_up_logging(logging.INFO if verbose else logging.CRITICAL)
    name = f"wherewithal {arguments.command}"
    try:
        code: int = importlib.import_module(f"streams.cli.{arguments.command}").run(arguments)
    except ConfigurationError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except (StreamsError, FeaturesError, ModelsError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KafkaError as error:
        print(f"{name}: {_meaning(error)}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader of the output has gone (`| head`), so an error has no reader either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if error.errno is None:
            raise
        where = "" if error.filename is None else f" ({error.filename}: check the path, its rights and the free space)"
        print(f"{name}: {error.strerror}{where}", file=sys.stderr)
        return 1
    return code


def _meaning(error: KafkaError) -> str:
    """Return the meaning of a Kafka client's error; the error's own text may quote records."""
    from streams.broker.connection import connection
    from streams.broker.errors.explaining import explained
    from streams.settings import load_settings

    settings = load_settings()
    if settings.embedded:
        return f"the broker failed ({type(error).__name__}): check that it runs, then try again"
    return str(asyncio.run(explained(error, connection(settings))))


def command() -> NoReturn:
    """Run a command as a process of its own."""
    leave(main())


if __name__ == "__main__":
    command()
