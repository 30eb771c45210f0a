from __future__ import annotations

import io
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from streams.terminal import literal, shown

BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("\x1b[31mred\x1b[0m", "\\u001b[31mred\\u001b[0m"),
        ("\x9b2J", "\\u009b2J"),
        ("a\nb\rc\td\x00\x7f", "a\\u000ab\\u000dc\\u0009d\\u0000\\u007f"),
        ("user\u202egnp.exe", "user\\u202egnp.exe"),
        ("\u2066a\u2069\u200f\u061c", "\\u2066a\\u2069\\u200f\\u061c"),
        ("a\u2028b\u200bc\ufeff", "a\\u2028b\\u200bc\\ufeff"),
        ("\udcff", "\\udcff"),
        ("a\U000e0041", "a\\udb40\\udc41"),
        ("Zoë 音质 😀 \u0645\u06cc\u200c\u062e", "Zoë 音质 😀 \u0645\u06cc\u200c\u062e"),
        ("[red]:smile:\\n", "[red]:smile:\\n"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text: str, harmless: str) -> None:
    assert shown(text) == harmless


@given(st.text(st.characters()))
def test_whatever_is_shown_is_one_line_that_no_terminal_obeys_and_can_be_written(text: str) -> None:
    harmless = shown(text)
    assert len(harmless.splitlines()) <= 1
    assert harmless.encode().decode() == harmless
    assert not {unicodedata.category(char) for char in harmless} & {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(char) for char in harmless} & BIDI
    assert shown(harmless) == harmless


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_a_json_document_stays_the_same(document: object) -> None:
    assert json.loads(shown(json.dumps(document, ensure_ascii=False))) == document


@pytest.mark.parametrize("text", ["[red]u[/]", "[/]", "[link=http://a]u", ":smile:", "u\x1b[2J", "\\[b]"])
def test_a_table_shows_neither_markup_nor_emoji(text: str) -> None:
    out = io.StringIO()
    table = Table("user")
    table.add_row(literal(text))
    Console(file=out, width=80, force_terminal=True, color_system="truecolor").print(table)
    assert shown(text) in out.getvalue()
