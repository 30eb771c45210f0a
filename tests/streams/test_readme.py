"""What the README and its pages say is what the code has: names, defaults, examples and links."""

from __future__ import annotations

import math
import re
from enum import Enum
from functools import cache

import orjson
import pytest
from support.paths import ROOT

from features.catalogue import NAMES
from features.online.layout import VIEWS
from features.repository import SERVICE
from features.windows import WINDOWS
from streams.cli.main import COMMANDS
from streams.contract import TOPICS
from streams.records.decoder import Decoder
from streams.records.ndjson import RejectedLine, parse_line
from streams.records.rejection import Reason, Rejection
from streams.records.score_record import encode_score
from streams.settings import Settings
from streams.telemetry.metrics import Metrics

README = ROOT / "README.md"
SETTINGS = ROOT / "docs" / "settings.md"
OPERATING = ROOT / "docs" / "operating.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
PAGES = (README, SETTINGS, OPERATING, ARCHITECTURE)
CONTRACT_COMMANDS = {
    *("demo", "replay", "worker", "produce", "features", "scores", "history", "train", "evaluate", "backtest"),
    *("finetune", "erase", "redrive"),
}


@cache
def text_of(page):
    return page.read_text(encoding="utf-8")


def section(page, title):
    """What stands under a heading, up to the next one of any level."""
    return re.split(rf"^#+ {re.escape(title)}$", text_of(page), maxsplit=1, flags=re.MULTILINE)[1].split("\n#")[0]


def rows(text):
    """The cells of every line of the tables in a text, their heads and rulers left out."""
    lines = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:1] == "|"]
    return [cells for cells in lines if not re.fullmatch(r"[-|: ]+", "|".join(cells))]


def code(text):
    """What is set in backticks."""
    return re.findall(r"`([^`\n]+)`", text)


def first_names(text):
    """The first word of every name in the first column of the tables."""
    return [name.split()[0] for cells in rows(text) for name in code(cells[0])]


def as_shown(default):
    if default is None:
        return "unset"
    if default == "":
        return "empty"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, float):
        return f"`{default:g}`"
    return f"`{default.value if isinstance(default, Enum) else default}`"


def variable(name):
    return f"WHEREWITHAL_{name.upper()}"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_setting_is_listed_with_its_default(name):
    found = [cells[1] for cells in rows(text_of(SETTINGS)) if cells[0] == f"`{variable(name)}`"]
    assert found == [as_shown(Settings.model_fields[name].default)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_setting_that_does_not_exist(page):
    named = set(re.findall(r"WHEREWITHAL_[A-Z_]*[A-Z]", text_of(page)))
    assert named <= {variable(name) for name in Settings.model_fields}


def test_each_command_is_listed_and_no_other():
    assert set(first_names(section(README, "Command line"))) == set(COMMANDS)


def test_the_commands_said_to_be_missing_are_those_that_are():
    missing = next(line for line in section(README, "Limits").splitlines() if "Not there yet" in line)
    assert set(code(missing)) == CONTRACT_COMMANDS - set(COMMANDS)


def test_each_dead_letter_reason_is_listed_and_no_other():
    assert set(first_names(section(README, "Dead letters"))) == {reason.value for reason in Reason}


def test_each_topic_is_listed_and_no_other():
    assert set(first_names(section(README, "Topics"))) == set(TOPICS)


def test_each_feature_is_listed_with_its_windows_and_no_other():
    listed = set()
    for cells in rows(section(README, "Features")):
        for family in code(cells[0]):
            windows = cells[1].split(", ")
            listed |= {family.removesuffix("W") + window for window in windows} if family.endswith("_W") else {family}
    assert listed == {*NAMES, "profile_vector"}


def test_every_window_is_explained():
    assert set(code(section(README, "Features"))) >= {window.name for window in WINDOWS}


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_each_feast_view_is_listed_with_its_fields(view):
    (fields,) = [cells[1] for cells in rows(section(README, "Feast")) if cells[0] == f"`{view.name}`"]
    assert set(code(fields)) == {feature.name for feature in view.features} - set(NAMES)
    assert ("every scalar" in fields) == any(feature.name in NAMES for feature in view.features)


def test_the_feature_service_is_named():
    assert SERVICE in code(section(README, "Feast"))


def test_each_metric_is_listed_and_no_other():
    families = {family.name + ("_total" if family.type == "counter" else "") for family in Metrics().registry.collect()}
    listed = [name for cells in rows(section(OPERATING, "Metrics")) for name in code(cells[0])]
    assert sorted(name.partition("{")[0] for name in listed) == sorted(families)


def test_the_example_events_are_valid():
    (lines,) = re.findall(r"```json\n(.*?)```", section(README, "Your own events"), re.DOTALL)
    for line in lines.splitlines():
        record = parse_line(line.encode())
        assert not isinstance(record, RejectedLine)
        event = Decoder().decode(record.topic, record.key, record.value, 2**50)
        assert not isinstance(event, Rejection), event


def test_the_example_score_record_has_the_fields_of_one_and_adds_up():
    (example,) = re.findall(r"```json\n(.*?)```", section(README, "Score record"), re.DOTALL)
    record = orjson.loads(example)
    known = {name: value for name, value in record.items() if name not in ("reasons", "trigger")}
    written = orjson.loads(encode_score(**known, reasons=[("spend_30d", 1.0)], trigger=None))
    assert list(record) == list(written)
    total = record["intercept"] + math.fsum(reason["contribution"] for reason in record["reasons"])
    assert total == pytest.approx(record["prediction"], rel=1e-9)
    explained = {name for cells in rows(section(README, "Score record")) for name in code(cells[0])}
    assert explained == set(record) - {"user_id"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)]+)\)", text_of(page)):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.+)$", text_of(linked), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_modules_that_are_named_exist(page):
    for path in re.findall(r"`((?:streams|features|models|deploy|tests)/[\w/.]*)`", text_of(page)):
        assert (ROOT / path).exists(), path


def test_the_make_targets_that_are_named_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = re.findall(r"(?:`|^)make ([a-z]+)", text_of(README), re.MULTILINE)
    assert named
    assert set(named) <= targets
