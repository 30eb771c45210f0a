"""The tables and examples of the contract, the settings and the metrics are those that the code has."""

from __future__ import annotations

import math
import re
from enum import Enum
from pathlib import Path

import msgspec
import orjson
import pytest
from support.pages import (
    CONTRACT,
    DOCS,
    OPERATING,
    PAGES,
    REKEY,
    RUNNING,
    SETTINGS,
    blocks,
    code,
    first_names,
    name_of,
    rows,
    section,
    text_of,
)

from features.items.catalogue import NAMES as ITEM_NAMES
from features.items.catalogue import POLARITY_PRIOR
from features.observation import REVIEW_WEIGHT, SEARCH_WEIGHT, TITLE_WEIGHTS
from features.online.item_views import VIEW as ITEM_VIEW
from features.online.rows import ItemRow
from features.online.user_views import STORED
from features.online.views import View
from features.repository import ITEM_SERVICE, SERVICE, SERVICE_V2
from features.text_sum import PROFILE_HALF_LIFE, TASTE_HALF_LIFE
from features.tiles import DAY
from features.users.catalogue import NAMES
from features.users.orders import REMEMBERED_ORDERS
from features.users.service_v1 import FIELDS
from models.labels.table import LABELS
from models.scoring.capacity import NOT_FOR
from streams.cli.main import COMMANDS
from streams.contract import CAPACITY, ITEM_SIGNALS, TOPICS
from streams.operating.summary import Summary
from streams.records.capacity_record import encode_capacity
from streams.records.decoder import Decoder
from streams.records.events import Action, Click, Review, Search
from streams.records.item_record import encode_item
from streams.records.ndjson import RejectedLine, parse_line
from streams.records.rejection import Reason, Rejection
from streams.records.score_record import encode_score
from streams.settings import Settings
from streams.telemetry.metrics import Metrics
from streams.telemetry.rekey_metrics import RekeyMetrics


def as_shown(default: object) -> str:
    if default is None:
        return "unset"
    if default == "":
        return "empty"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, float):
        return f"`{default:g}`"
    return f"`{default.value if isinstance(default, Enum) else default}`"


def variable(name: str) -> str:
    return f"WHEREWITHAL_{name.upper()}"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_setting_is_listed_with_its_default(name: str) -> None:
    found = [cells[1] for cells in rows(text_of(SETTINGS)) if cells[0] == f"`{variable(name)}`"]
    assert found == [as_shown(Settings.model_fields[name].default)]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_names_a_setting_that_does_not_exist(page: Path) -> None:
    named = set(re.findall(r"WHEREWITHAL_[A-Z_]*[A-Z]", text_of(page)))
    assert named <= {variable(name) for name in Settings.model_fields}


def test_each_command_is_listed_and_no_other() -> None:
    assert set(first_names(section(CONTRACT, "Command line"))) == set(COMMANDS)


def test_each_dead_letter_reason_is_listed_and_no_other() -> None:
    assert set(first_names(section(CONTRACT, "Dead letters"))) == {reason.value for reason in Reason}


def test_each_topic_is_listed_and_no_other() -> None:
    assert set(first_names(section(CONTRACT, "Topics"))) == {*TOPICS, CAPACITY, ITEM_SIGNALS}


@pytest.mark.parametrize(("name", "event"), [("review", Review), ("search", Search), ("click", Click)])
def test_each_field_of_an_event_is_listed_and_no_other(name: str, event: type[msgspec.Struct]) -> None:
    ((_, required, optional),) = [cells for cells in rows(section(CONTRACT, "Events")) if cells[0] == name]
    values = {action.value for action in Action}
    fields = {field.name: field.required for field in msgspec.structs.fields(event)}
    assert set(code(required)) - values == {name for name, needed in fields.items() if needed}
    assert set(code(optional)) == {name for name, needed in fields.items() if not needed}


def test_each_action_of_a_click_is_listed_and_no_other() -> None:
    ((_, required, _),) = [cells for cells in rows(section(CONTRACT, "Events")) if cells[0] == "click"]
    listed = re.findall(r"`action` \((.*?)\)", required)
    assert [code(actions) for actions in listed] == [[action.value for action in Action]]


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("Features", {*NAMES, "profile_vector", "taste_vector"}),
        ("Item features", {*ITEM_NAMES, "title", "category", "price", "title_vector"}),
    ],
    ids=["users", "items"],
)
def test_each_feature_is_listed_with_its_windows_and_no_other(title: str, names: set[str]) -> None:
    listed = set()
    for cells in rows(section(CONTRACT, title)):
        for family in code(cells[0]):
            windows = cells[1].split(", ")
            listed |= {family.removesuffix("W") + window for window in windows} if family.endswith("_W") else {family}
    assert listed == names


def test_every_window_is_explained() -> None:
    windows = {name.rpartition("_")[2] for name in NAMES if re.search(r"_[0-9]+[hd]$", name)}
    assert set(code(section(CONTRACT, "Features"))) >= windows


def test_the_weights_of_texts_are_those_that_count() -> None:
    stated = f"`weight` is {REVIEW_WEIGHT} for a review, {SEARCH_WEIGHT} for a search, and 0 for"
    assert stated in section(CONTRACT, "The profile vector")
    assert f"/ {PROFILE_HALF_LIFE // DAY} days" in section(CONTRACT, "The profile vector")


def test_the_weights_of_titles_are_those_that_count() -> None:
    weights = {kind.name.lower(): weight for kind, weight in TITLE_WEIGHTS.items()}
    stated = (
        f"`weight` is {weights['purchase']} for a purchase, {weights['favorite']} for a favorite and a cart, "
        f"{weights['view']} for a view, and 0 for"
    )
    assert weights["favorite"] == weights["cart"]
    assert stated in section(CONTRACT, "The taste vector")
    assert f"/ {TASTE_HALF_LIFE // DAY} days" in section(CONTRACT, "The taste vector")


def test_the_orders_that_are_remembered_are_as_many_as_the_page_says() -> None:
    assert f"The last {REMEMBERED_ORDERS} order ids" in section(CONTRACT, "Orders")


@pytest.mark.parametrize("view", [*STORED, ITEM_VIEW], ids=lambda view: view.name)
def test_each_feast_view_is_listed_with_its_fields(view: View) -> None:
    (fields,) = [cells[1] for cells in rows(section(CONTRACT, "Feast")) if cells[0] == f"`{view.name}`"]
    scalars = {*ITEM_NAMES} if view is ITEM_VIEW else {*NAMES}
    assert set(code(fields)) == {feature.name for feature in view.features} - scalars
    assert ("every scalar" in fields) == any(feature.name in scalars for feature in view.features)


def test_the_polarity_of_few_reviews_is_drawn_to_zero_as_much_as_the_page_says() -> None:
    assert f"/ (n + {POLARITY_PRIOR})" in section(CONTRACT, "Item features")
    assert f"The {POLARITY_PRIOR} reviews of polarity 0" in section(CONTRACT, "Item features")


def test_the_feature_services_are_listed_and_what_the_first_lacks_is_named() -> None:
    described = {cells[0]: cells[1] for cells in rows(section(CONTRACT, "Feast"))}
    named = code(described[f"`{SERVICE}`"])
    lacked = set(NAMES) - set(FIELDS["user_behavior"])
    starts = tuple(name.removesuffix("W") for name in named)
    assert {name for name in NAMES if name in named or re.sub("[0-9]+[hd]$", "", name) in starts} == lacked
    assert {f"`{SERVICE_V2}`", f"`{ITEM_SERVICE}`"} <= set(described)


def test_each_metric_is_listed_and_no_other() -> None:
    families = {family.name + ("_total" if family.type == "counter" else "") for family in Metrics().registry.collect()}
    listed = [name for cells in rows(section(OPERATING, "Metrics")) for name in code(cells[0])]
    assert sorted(name.partition("{")[0] for name in listed) == sorted(families)


def test_each_metric_of_rekey_is_listed_and_no_other() -> None:
    ours = {name for name in RekeyMetrics().names() if name.startswith("wherewithal_")}
    listed = [name for cells in rows(section(REKEY, "Running it")) for name in code(cells[0])]
    assert sorted(name.partition("{")[0] for name in listed) == sorted(ours)


@pytest.mark.parametrize(("name", "values"), LABELS.items(), ids=list(LABELS))
def test_each_label_is_listed_and_no_other(name: str, values: tuple[str, ...]) -> None:
    (listed,) = [cells[1] for cells in rows(section(CONTRACT, "Labels and segments")) if cells[0] == f"`{name}`"]
    assert tuple(code(listed)) == values


def test_the_account_of_a_replay_is_described_field_by_field() -> None:
    account = Summary(
        events_in=1,
        events_applied=1,
        duplicates=0,
        dead_letters=0,
        erased=0,
        users=1,
        scores_out=1,
        texts_encoded=0,
        titles_encoded=0,
        facts_sent=0,
        facts_applied=0,
        items=0,
        seconds=1.0,
        event_to_score_ms={},
    )
    table = section(CONTRACT, "The account of `replay`").split("With `--json`")[1]
    listed = {name for cells in rows(table) for name in code(cells[0])}
    assert listed == {*account.as_dict(), "refused", "left_out", "first_duplicate"}


def test_the_example_events_are_valid() -> None:
    (lines,) = blocks(section(RUNNING, "Your own events"), "json")
    for line in lines.splitlines():
        record = parse_line(line.encode())
        assert not isinstance(record, RejectedLine)
        event = Decoder().decode(record.topic, record.key, record.value, 2**50)
        assert not isinstance(event, Rejection), event


def test_the_example_capacity_record_has_the_fields_of_one_and_adds_up() -> None:
    (example,) = blocks(section(CONTRACT, "Capacity record"), "json")
    record = orjson.loads(example)
    known = {name: value for name, value in record.items() if name not in ("reasons", "not_for")}
    written = orjson.loads(encode_capacity(**known, reasons=[("taste_vector", 1.0)]))
    assert list(record) == list(written)
    assert record["not_for"] == written["not_for"]
    total = record["intercept"] + math.fsum(reason["contribution"] for reason in record["reasons"])
    assert total == pytest.approx(record["prediction"], rel=1e-9)
    explained = {name for cells in rows(section(CONTRACT, "Capacity record")) for name in code(cells[0])}
    assert explained == set(record) - {"user_id"}


def test_each_field_of_an_item_record_is_explained_and_no_other() -> None:
    row = ItemRow("i", (1, 1, 1), (0,) * len(ITEM_NAMES), None, None, None, bytes(256), "encoder", 1, 1)
    nothing = dict.fromkeys(("sentiment", "demand", "risk"))
    record = orjson.loads(encode_item(row, {}, [0.0] * 64, emitted_at=1, head="", degraded=False, **nothing))
    explained = {name for cells in rows(section(CONTRACT, "Item record")) for name in code(cells[0])}
    assert explained == set(record)


def test_what_an_estimate_is_not_for_is_explained() -> None:
    listed = first_names(section(DOCS / "responsible-use.md", "What it may not decide on"))
    assert listed == list(NOT_FOR)


def test_the_example_score_record_has_the_fields_of_one_and_adds_up() -> None:
    (example,) = blocks(section(CONTRACT, "Score record"), "json")
    record = orjson.loads(example)
    known = {name: value for name, value in record.items() if name not in ("reasons", "trigger")}
    written = orjson.loads(encode_score(**known, reasons=[("spend_30d", 1.0)], trigger=None))
    assert list(record) == list(written)
    total = record["intercept"] + math.fsum(reason["contribution"] for reason in record["reasons"])
    assert total == pytest.approx(record["prediction"], rel=1e-9)
    explained = {name for cells in rows(section(CONTRACT, "Score record")) for name in code(cells[0])}
    assert explained == set(record) - {"user_id"}
