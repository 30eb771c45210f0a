"""`wherewithal scores`: the score stream, readable."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

import orjson

from streams.exceptions import ConfigurationError
from streams.following import follow_scores
from streams.results import last_scores
from streams.settings import Settings, load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `scores`."""
    parser.add_argument("--follow", action="store_true", help="go on with new scores as they come, until interrupted")
    parser.add_argument("--json", action="store_true", help="print records as JSON, one per line")


def run(arguments: argparse.Namespace) -> int:
    """Print the newest score of every user, or with `--follow` every new one."""
    settings = load_settings()
    if settings.embedded:
        raise ConfigurationError("WHEREWITHAL_BROKER: expected kafka://host:port, found no broker to read from")
    asyncio.run(_follow(settings, arguments.json) if arguments.follow else _show(settings, arguments.json))
    return 0


async def _show(settings: Settings, as_json: bool) -> None:
    scores = await last_scores(settings)
    for user_id in sorted(scores):
        _print(scores[user_id], as_json)


async def _follow(settings: Settings, as_json: bool) -> None:
    async for user_id, score in follow_scores(settings):
        if score is not None:
            _print(score, as_json)
        elif as_json:
            print(orjson.dumps({"user_id": user_id, "erased": True}).decode(), flush=True)
        else:
            print(f"{user_id:24} erased", flush=True)


def _print(score: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(orjson.dumps(score).decode(), flush=True)
        return
    first = next((reason["feature"] for reason in score["reasons"]), "")
    print(
        f"{score['user_id']:24} {score['score']:6.1f} {score['tier']:8} {score['expected_spend']:10.2f} "
        f"revision {score['revision']:<6} {first}",
        flush=True,
    )
