"""The command `wherewithal`: parses arguments, runs a command, and turns known errors into one line."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import logging
import os
import re
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from streams.cli.common.stopping import ToldToEnd, leave
from streams.terminal import shown

if TYPE_CHECKING:
    from aiokafka.errors import KafkaError

COMMANDS: Final = {
    "demo": "run the whole flow on bundled data, with a live table of scores",
    "replay": "run the whole flow over files of events, then exit",
    "worker": "run a worker against a cluster, or check that one could run",
    "rekey": "bring a shop's own topics to the inputs, keyed by user",
    "broker": "run the embedded broker by itself, to try a worker against",
    "produce": "publish files of events to the input topics",
    "lint": "say what would become of files of events",
    "features": "show what the online store serves of a user or an item",
    "scores": "show the stream of scores, or the highest ones",
    "items": "show the items that move, one of them, or the stream of their signals",
    "settings": "show every setting: its value, and where that comes from",
    "erase": "forget a user: request it, wait for it, and show the receipt",
    "republish": "publish every user again: to an online store that lost rows, or was restored",
    "leave": "have workers that do not come back give up their partitions at once",
    "redrive": "send dead letters back to their topics",
    "topics": "say which topics have to be made and why, or make them",
    "repartition": "copy what is known of the users to topics with another number of partitions",
    "acls": "print the commands that give a login the rights it needs",
    "sample": "write the bundled purchases as files of events and labels",
    "history": "fold a history into features as of given instants",
    "consistency": "compare what was served with a history folded again",
    "demand": "tell how items or categories sell and will sell, and publish it",
    "fit": "from events to a scorer of one's own, in one run",
    "train": "fit the scorer and write its artefact",
    "evaluate": "judge the scorer beside baselines and write the report",
    "backtest": "hold the forecast of spend to real orders, beside what it has to beat",
    "finetune": "adapt the encoder to texts and what is known of them",
}
"""The commands, each in the module of its name under `streams.cli`, or in a room of `_ROOMS`."""

_ROOMS: Final = {
    **dict.fromkeys(("acls", "leave", "repartition", "republish", "topics"), "cluster"),
    **dict.fromkeys(("backtest", "demand", "evaluate", "finetune", "fit", "sample", "train"), "learning"),
    **dict.fromkeys(("features", "items", "scores"), "looking"),
    "settings": "environment",
}

_OURS: Final = frozenset({"streams", "features", "models"})


class _Overview(argparse.HelpFormatter):
    """Keeps every command on one line with what it does."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        # argparse measures commands without their indent, and would break the line of the longest.
        self._action_max_length = max(map(len, COMMANDS)) + 2 * self._indent_increment


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{shown(f'{self.prog}: {message} (try --help)')}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code: 2 for wrong arguments and settings, 1 for a failure at work."""
    words = list(sys.argv[1:] if argv is None else argv)
    with _told_to_end() as told:
        try:
            return _run(_parse(words))
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package in _OURS:
                raise
            line = f"wherewithal: expected the package {package}, found none: install wherewithal again"
            print(line, file=sys.stderr)
            return 1
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
    parser.add_argument("--version", action=_Version, help="show the release, and what it runs on")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    if first is not None and wanted is None and not {"-h", "--help", "--version"} & set(words[: words.index(first)]):
        parser.error(f"expected a command, found {first!r}{_meant(first, COMMANDS)}")
    parsers = {}
    for name, summary in COMMANDS.items():
        command = parsers[name] = commands.add_parser(
            name, help=summary, description=summary[0].upper() + summary[1:] + "."
        )
        # The option may stand before or after the command. The absent one must not reset the other.
        command.add_argument(
            "--verbose", action="store_true", default=argparse.SUPPRESS, help="log what an operator may want to know"
        )
        if name == wanted:
            _module(name).add_arguments(command)
    arguments, rest = parser.parse_known_args(words)
    if rest:
        command = parsers[arguments.command]
        options = re.findall("--[a-z-]+", command.format_help())
        command.error(f"unrecognized arguments: {' '.join(rest)}{_meant(rest[0], options)}")
    return arguments


def _module(command: str) -> Any:
    room = f"{_ROOMS[command]}." if command in _ROOMS else ""
    return importlib.import_module(f"streams.cli.{room}{command}")


class _Version(argparse.Action):
    """Prints the release and what it runs on, and ends the command."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from streams.cli.environment.versions import versions

        print(versions())
        parser.exit()


def _meant(word: str, known: Iterable[str]) -> str:
    """Return the question that names the nearest known word, if one is near."""
    near = get_close_matches(word.partition("=")[0], list(known), n=1)
    return f": did you mean {near[0]}?" if near else ""


def _run(arguments: argparse.Namespace) -> int:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from aiokafka.errors import KafkaError

    from features.exceptions import FeaturesError
    from models.exceptions import ModelsError
    from streams.cli.environment.variables import complaint, unknown_variables
    from streams.exceptions import ConfigurationError, StreamsError
    from streams.log import log, set_up_logging

    logs = arguments.command == "rekey" or (arguments.command == "worker" and not arguments.check)
    set_up_logging(logging.INFO if arguments.verbose or logs else logging.CRITICAL)
    name = f"wherewithal {arguments.command}"
    for variable, nearest in unknown_variables(os.environ).items():
        if logs:
            log.warning("a variable that is no setting is ignored", found=variable, nearest=nearest)
        else:
            _say(name, complaint(variable, nearest))
    try:
        code: int = _module(arguments.command).run(arguments)
    except ConfigurationError as error:
        _say(name, error)
        return 2
    except (StreamsError, FeaturesError, ModelsError) as error:
        _say(name, error)
        return 1
    except KafkaError as error:
        _say(name, _meaning(error))
        return 1
    except BrokenPipeError:
        # The reader of the output has gone (`| head`), so an error has no reader either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if error.errno is None:
            raise
        where = "" if error.filename is None else f" ({error.filename}: check the path, its rights and the free space)"
        _say(name, f"{error.strerror}{where}")
        return 1
    return code


def _say(name: str, what: object) -> None:
    print(f"{name}: {shown(what)}", file=sys.stderr)


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
