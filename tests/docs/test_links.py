"""Every link of a page leads somewhere, and every path that a page names exists."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from support.pages import ARCHITECTURE, CONTRACT, PAGES, README, anchors, code, links, name_of, prose
from support.paths import ROOT

# A path of the repository, perhaps with a pattern in it. Folders that a command makes have other names.
_PATH = re.compile(r"(?:streams|features|models|deploy|tests|docs)/[\w./*-]*")


@cache
def modules() -> frozenset[str]:
    """The names of all Python files."""
    folders = ("streams", "features", "models", "tests")
    return frozenset(path.name for folder in folders for path in (ROOT / folder).rglob("*.py"))


def test_there_are_pages_with_links() -> None:
    assert all(links(page) for page in (README, ARCHITECTURE, CONTRACT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_a_file_and_to_a_heading_in_it(page: Path) -> None:
    lost = []
    for target in links(page):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            lost.append(target)
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_link_that_shows_a_path_leads_to_that_path(page: Path) -> None:
    shown = re.findall(r"\[`?((?:streams|features|models|tests|docs)/[^\]`]+)`?\]\(([^)#]+)", prose(page))
    assert [shows for shows, leads in shown if (ROOT / shows).resolve() != (page.parent / leads).resolve()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_paths_that_are_named_exist(page: Path) -> None:
    named = [path for words in code(prose(page)) for path in words.split() if _PATH.fullmatch(path)]
    assert [path for path in named if not any(ROOT.glob(path.rstrip("/")))] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_modules_that_are_named_without_their_folder_exist(page: Path) -> None:
    named = [name for name in code(prose(page)) if re.fullmatch(r"\w+\.py", name)]
    assert set(named) <= modules()
