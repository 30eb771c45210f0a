"""How a receipt is printed, and what a command that asks for one takes and returns."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import orjson

from streams.operating.erasing.receipt import Receipt


def seconds(text: str) -> float:
    """Return a positive number of seconds.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise argparse.ArgumentTypeError("expected a positive number of seconds")
    return found


def print_receipt(command: str, receipt: Receipt[Any], headline: str, entity: str, *, as_json: bool) -> int:
    """Print a receipt, and on standard error each place that is not clean.

    Args:
        command: as its words on standard error name it.
        receipt: of the request.
        headline: says in a line what was requested.
        entity: what was to go.
        as_json: print it as one JSON object.

    Returns:
        The exit code: 0 only if every place was read back clean.
    """
    if as_json:
        print(orjson.dumps(receipt.as_dict()).decode())
    else:
        print(headline)
        for name, finding in receipt.removed.items():
            print(f"  {'removed' if finding.remains is None else 'NOT VERIFIED':12} {name:19} {finding.where}")
        for kept in receipt.kept:
            print(f"  {'kept':12} {kept.place:19} {kept.holds}; {kept.lifetime.until}")
        if receipt.served_before is False:
            print(f"nothing of this {entity} was served before the request: check the id, if that is a surprise")
        if receipt.revision:
            print(f"the {entity} exists again: {receipt.revision} newer events were applied since the request")
    for name, finding in receipt.removed.items():
        if finding.remains is not None:
            print(f"wherewithal {command}: not verified, {name} ({finding.where}): {finding.remains}", file=sys.stderr)
    return 0 if receipt.verified else 1
