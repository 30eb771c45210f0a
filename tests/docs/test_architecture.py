"""The map of the code is the code's: every folder, every rule between them, and every place to change something at."""

from __future__ import annotations

import configparser
import re

import pytest
from support.pages import ARCHITECTURE, blocks, code, rows, section, text_of
from support.paths import ROOT

PACKAGES = ("streams", "features", "models")
PLACES = [
    (cells[0], *code(cells[1]), *code(cells[2]))
    for title in ("Path of an event", "Events and records", "Features", "Models", "Around it")
    for cells in rows(section(ARCHITECTURE, title))
    if cells[0] != "to change"
]


def checked(key: str, of: str) -> list[list[str]]:
    """The lines under a key of every checked contract that has the key `of`."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    contracts = [parser[name] for name in parser.sections() if of in parser[name]]
    return [contract[key].split("\n")[1:] for contract in contracts]


def test_each_folder_is_on_the_map_and_no_other() -> None:
    folders = [file.parent for package in PACKAGES for file in (ROOT / package).rglob("__init__.py")]
    listed = [name for cells in rows(section(ARCHITECTURE, "The folders")) for name in code(cells[0])]
    assert sorted(listed) == sorted(f"{folder.relative_to(ROOT)}/" for folder in folders)


def test_the_rules_between_folders_are_those_that_are_checked() -> None:
    shown = [block.strip().split("\n") for block in blocks(section(ARCHITECTURE, "Who may use whom"))]
    assert sorted(shown) == sorted(checked("layers", of="containers"))


def test_the_modules_of_the_pure_core_are_those_that_are_checked() -> None:
    (line,) = [line for line in text_of(ARCHITECTURE).splitlines() if line.startswith("The pure core knows")]
    shown = [path.removesuffix(".py").rstrip("/").replace("/", ".") for path in code(line)]
    assert [shown] == checked("source_modules", of="forbidden_modules")


@pytest.mark.parametrize(("what", "file", "name"), PLACES, ids=[place[0] for place in PLACES])
def test_what_is_looked_for_stands_in_the_file_that_is_named(what: str, file: str, name: str) -> None:
    assert name in (ROOT / file).read_text(encoding="utf-8"), what


def test_other_names_stand_in_the_files_that_are_named_with_them() -> None:
    pairs = re.findall(r"`(\w+)` in `([\w/.]+)`", text_of(ARCHITECTURE))
    assert pairs
    assert [name for name, file in pairs if name not in (ROOT / file).read_text(encoding="utf-8")] == []
