"""`wherewithal redrive`: send dead letters back to their topics."""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from typing import Any, Final

import orjson

from streams.cli.common.arguments import load_cluster_settings, whole_number
from streams.cli.common.progress import reporting
from streams.cli.common.refusals import SHOWN
from streams.contract import INPUTS
from streams.operating.redriving.letters import Choice, Letter, Standing, letter_name
from streams.operating.redriving.redrive import Redrive
from streams.progress import Progress
from streams.records.refusals import Kind, Refusals
from streams.records.rejection import Reason
from streams.settings import Settings

_REMARKS: Final = {
    Standing.SENT_BEFORE: "sent back by an earlier run",
    Standing.SAME_RECORD: "further letters of a record that another letter stands for",
    Standing.NO_RECORD: "lines that never were records, to be mended and published again",
    Standing.INTERNAL: "damaged messages from stage to stage, which are not sent back",
    Standing.TRUNCATED: "cut when they were written, the whole record lies in the input topic at the place they name",
    Standing.STILL_REFUSED: "of the shop's own topics, and refused by the settings of now as well",
    Standing.LEFT_OUT: "of the shop's own topics, of which no event is made any more",
    Standing.REFUSED: "refused by their topic",
    Standing.OVER_LIMIT: "left for a later run by --limit",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `redrive`."""
    reasons = [reason.value for reason in Reason]
    parser.add_argument("--reason", nargs="+", action="extend", choices=reasons, help="only letters of these reasons")
    parser.add_argument("--topic", nargs="+", action="extend", choices=INPUTS, help="only letters of these topics")
    parser.add_argument("--limit", type=whole_number(1), metavar="N", help="send at most N letters")
    parser.add_argument("--go", action="store_true", help="send them; without it nothing is sent")
    parser.add_argument("--json", action="store_true", help="print one JSON object, with the place of every letter")


def run(arguments: argparse.Namespace) -> int:
    """List the dead letters that are asked for, and with `--go` send them back."""
    settings = load_cluster_settings("to read from")
    choice = Choice(reasons=arguments.reason or (), topics=arguments.topic or (), limit=arguments.limit)
    with reporting() as progress:
        letters = asyncio.run(_redrive(settings, choice, arguments.go, progress))
    if arguments.json:
        print(orjson.dumps(report(letters, arguments.go)).decode())
    else:
        _print(report(letters, arguments.go))
    return 0


async def _redrive(settings: Settings, choice: Choice, go: bool, progress: Progress) -> list[Letter]:
    redrive = Redrive(settings, progress)
    await redrive.survey(choice)
    if go:
        await redrive.send()
    return redrive.letters


def report(letters: list[Letter], go: bool) -> dict[str, Any]:
    """Return the object that `--json` prints for the letters."""
    chosen = [letter for letter in letters if letter.standing is not Standing.NOT_CHOSEN]
    standings = Counter(letter.standing for letter in chosen)
    by_reason: dict[str, Counter[str]] = {}
    refusals = Refusals()
    for letter in chosen:
        by_reason.setdefault(letter.reason, Counter())[letter.record[0]] += 1
        refusals.add(letter.reason, letter.detail, letter.place)
    return {
        "dry_run": not go,
        "letters": len(letters),
        "chosen": len(chosen),
        "by_reason": {reason: dict(topics) for reason, topics in sorted(by_reason.items())},
        "details": [_kind(kind) for kind in refusals],
        "standings": {standing.value: standings[standing] for standing in Standing if standings[standing]},
        "failed_again": sum(letter.again for letter in chosen),
        "places": [letter.as_dict() for letter in chosen],
    }


def _kind(kind: Kind) -> dict[str, Any]:
    first, last = (None if place is None else letter_name(place) for place in (kind.first, kind.last))
    return {"reason": kind.reason, "detail": kind.detail, "count": kind.count, "first": first, "last": last}


def _print(found: dict[str, Any]) -> None:
    print(f"{found['letters']:,} dead letters, {found['chosen']:,} of them asked for")
    for reason, topics in found["by_reason"].items():
        for topic, count in sorted(topics.items()):
            print(f"  {reason:16} {topic:10} {count:>9,}")
    details = found["details"]
    if details:
        print("by reason and detail, with the first and the last letter of each:")
    for kind in details[:SHOWN]:
        last = "" if kind["count"] == 1 else f" to {kind['last']}"
        print(f"  {kind['count']:>9,}  {kind['reason']}: {kind['detail']} ({kind['first']}{last})")
    if len(details) > SHOWN:
        print(f"  and {len(details) - SHOWN:,} more kinds")
    for standing, remark in _REMARKS.items():
        if count := found["standings"].get(standing.value):
            print(f"{remark}: {count:,}")
    if again := found["failed_again"]:
        print(f"of records that had been sent back before, and failed again: {again:,}")
    waiting = found["standings"].get(Standing.TO_SEND.value, 0)
    if found["dry_run"]:
        print(f"dry run, nothing was sent; letters that --go would send back: {waiting:,}")
        return
    print(f"sent back: {found['standings'].get(Standing.SENT.value, 0):,}")
    if waiting:
        print(f"gone before they could be sent, as their retention has ended: {waiting:,}")
