"""Environment variables that look like settings and are none: named, with the setting that was probably meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from streams.settings import PREFIX, VARIABLES

_SERVICE_HOST: Final = re.compile(r"(WHEREWITHAL(?:_[A-Z0-9_]+)?)_SERVICE_HOST")

_UNMISTAKABLE: Final = re.compile(
    r".*(_SERVICE_HOST|_SERVICE_PORT(_[A-Z0-9_]+)?|_PORT_[0-9]+_(TCP|UDP|SCTP)(_[A-Z]+)?)"
)
"""What Kubernetes makes for every service, beside `<SERVICE>_PORT`."""


def unknown_variables(environment: Iterable[str]) -> dict[str, str | None]:
    """Return the variables with our prefix that are no settings, each with the setting of the nearest name, if any.

    Those that Kubernetes makes for a service whose name begins like ours are left out.

    Args:
        environment: names of variables.
    """
    names = {name: name.upper() for name in environment if name.upper().startswith(PREFIX)}
    services = {"WHEREWITHAL"} | {found[1] for name in names.values() if (found := _SERVICE_HOST.fullmatch(name))}
    kubernetes = {f"{service}_PORT" for service in services}
    return {
        name: _nearest(upper)
        for name, upper in sorted(names.items())
        if upper not in VARIABLES and upper not in kubernetes and not _UNMISTAKABLE.fullmatch(upper)
    }


def complaint(name: str, nearest: str | None) -> str:
    """Return one line that names a variable that is no setting."""
    advice = f"did you mean {nearest}?" if nearest else "`wherewithal settings` lists all"
    return f"{name}: expected the name of a setting, found none of this name, which is ignored; {advice}"


def _nearest(name: str) -> str | None:
    # Without the prefix, which all have in common.
    known = {variable.removeprefix(PREFIX): variable for variable in VARIABLES}
    found = get_close_matches(name.removeprefix(PREFIX), known, n=1)
    return known[found[0]] if found else None
