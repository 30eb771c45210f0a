"""The pages of the documentation, taken apart: sections, tables, code, links and anchors."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from support.paths import ROOT

DOCS = ROOT / "docs"
README = ROOT / "README.md"
CONTRACT = DOCS / "contract.md"
SETTINGS = DOCS / "settings.md"
OPERATING = DOCS / "operating.md"
REKEY = DOCS / "rekey.md"
RUNNING = DOCS / "running.md"
KAFKA = DOCS / "kafka.md"
ARCHITECTURE = DOCS / "architecture.md"
AT_THE_ROOT = tuple(ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"))
PAGES = (README, *AT_THE_ROOT, *sorted(DOCS.glob("*.md")), ROOT / "deploy" / "README.md")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def section(page: Path, title: str) -> str:
    """What stands under a heading, up to the next one of any level."""
    return re.split(rf"^#+ {re.escape(title)}$", text_of(page), maxsplit=1, flags=re.MULTILINE)[1].split("\n#")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of every line of the tables in a text, their rulers left out."""
    lines = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:1] == "|"]
    return [cells for cells in lines if not re.fullmatch(r"[-|: ]+", "|".join(cells))]


def code(text: str) -> list[str]:
    """What is set in backticks."""
    return re.findall(r"`([^`\n]+)`", text)


def first_names(text: str) -> list[str]:
    """The first word of every name in the first column of the tables."""
    return [name.split()[0] for cells in rows(text) for name in code(cells[0])]


def blocks(text: str, language: str = "") -> list[str]:
    """The fenced blocks of a language; those that name none by default."""
    return [
        body for named, body in re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE) if named == language
    ]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", text_of(page), flags=re.DOTALL | re.MULTILINE)


def links(page: Path) -> list[str]:
    """Where the links of a page lead, what is set in code left out."""
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"(?<!\[)`[^`\n]+`(?!\])", "", prose(page)))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
