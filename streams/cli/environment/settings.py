"""`wherewithal settings`: every setting, with its value and where that comes from."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from textwrap import TextWrapper
from typing import Any, Final

from pydantic import SecretStr

from features.online.address import SqliteAddress, parse
from streams.settings import Settings, load_settings, variable
from streams.terminal import shown

HIDDEN: Final = "(not shown)"
"""Stands for a secret."""
_WRAP: Final = TextWrapper(
    width=80, initial_indent="    ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
)


@dataclass(frozen=True)
class Setting:
    """A setting as it is in use.

    Attributes:
        value: in use, as JSON has it; `HIDDEN` for a secret, None where there is none.
        default: the value without a variable; None where there is none, or where it depends on others.
        set_by: the environment variable that set it, as it is spelled there; None for a default.
        description: of the setting.
    """

    value: Any
    default: Any
    set_by: str | None
    description: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `settings`."""
    parser.add_argument("--json", action="store_true", help="print one JSON object, by the name of the variable")


def run(arguments: argparse.Namespace) -> int:
    """Print every setting as the environment leaves it."""
    found = settings_in_use(load_settings())
    if arguments.json:
        # Not by orjson: a path may be of bytes that are no UTF-8.
        print(json.dumps({name: asdict(setting) for name, setting in found.items()}))
        return 0
    for name, setting in found.items():
        origin = "(default)" if setting.set_by is None else f"(set; default {_text(setting.default)})"
        print(shown(f"{name}={_text(setting.value)}"))
        print(_WRAP.fill(f"{origin} {setting.description}"))
    return 0


def settings_in_use(settings: Settings) -> dict[str, Setting]:
    """Return every setting by the name of its variable, in the order in which they are declared."""
    # An empty variable sets nothing.
    spelled = {name.upper(): name for name, value in os.environ.items() if value}
    return {
        variable(field): Setting(
            value=_value(field, settings),
            default=_plain(declared.default),
            set_by=spelled.get(variable(field)),
            description=declared.description or "",
        )
        for field, declared in Settings.model_fields.items()
    }


def _value(field: str, settings: Settings) -> Any:
    value = getattr(settings, field)
    if field == "online_store":
        address = parse(settings.online_url)
        if isinstance(address, SqliteAddress):
            return settings.online_url
        login = f"{HIDDEN}@" if address.username or address.password else ""
        return f"redis{'s' if address.tls else ''}://{login}{address}"
    if field in ("broker_username", "broker_oauth_client_id", "schema_registry_username") and value is not None:
        # Whoever mixes the two up would see a password here.
        return HIDDEN
    return _plain(value)


def _plain(value: Any) -> Any:
    match value:
        case SecretStr():
            return HIDDEN
        case Path():
            return str(value)
        case Enum():
            return value.value
    return value


def _text(value: Any) -> str:
    return "(unset)" if value is None else str(value).lower() if isinstance(value, bool) else f"{value}" or "(empty)"
