"""The page on files lists every option of reading and no other."""

from __future__ import annotations

import argparse

from support.pages import CONTRACT, DOCS, code, first_names, section

from streams.cli.common.sources import add_source_arguments

FILES = DOCS / "files.md"


def options() -> set[str]:
    parser = argparse.ArgumentParser(add_help=False)
    add_source_arguments(parser)
    return {word for action in parser._actions for word in action.option_strings}


def test_each_option_is_listed_and_no_other() -> None:
    assert set(first_names(section(FILES, "Tables"))) == options()


def test_the_contract_names_each_option() -> None:
    (listed,) = [text for text in code(section(CONTRACT, "Lines of an event file")) if text.startswith("--")]
    assert set(listed.split()) == options()
