"""`settings` and `--version`: what a report of a fault needs."""

from __future__ import annotations

import json
import re
from importlib.metadata import version

import pytest
from support.command import here, run

from streams.settings import VARIABLES, load_settings, variable


def test_every_setting_is_shown_with_its_value_and_where_it_comes_from() -> None:
    code, out, err = here("settings", "--json", WHEREWITHAL_PARTITIONS="12", WHEREWITHAL_GROUP="")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert set(found) == VARIABLES
    assert (found["WHEREWITHAL_PARTITIONS"]["value"], found["WHEREWITHAL_PARTITIONS"]["default"]) == (12, 4)
    assert found["WHEREWITHAL_PARTITIONS"]["set_by"] == "WHEREWITHAL_PARTITIONS"
    assert (found["WHEREWITHAL_GROUP"]["value"], found["WHEREWITHAL_GROUP"]["set_by"]) == ("wherewithal", None)
    assert all(setting["description"] for setting in found.values())


def test_lines_hold_at_80_columns_and_are_escaped() -> None:
    code, out, _ = here("settings", wherewithal_state_dir="/tmp/\x1b[31m\u202e")
    assert code == 0
    assert "WHEREWITHAL_STATE_DIR=/tmp/\\u001b[31m\\u202e\n    (set; default .wherewithal) folder of local" in out
    assert "WHEREWITHAL_BROKER_TLS=false\n    (default) " in out
    assert max(map(len, re.findall(r"^    .*", out, re.MULTILINE))) <= 80
    assert "WHEREWITHAL_SERVED_LOG=(unset)\n" in out


@pytest.mark.parametrize("words", [["settings"], ["settings", "--json"]])
def test_bytes_that_are_no_utf_8_are_shown(words: list[str]) -> None:
    code, out, err = here(*words, WHEREWITHAL_STATE_DIR="/tmp/\udcff")
    assert (code, err) == (0, "")
    assert "/tmp/\\udcff" in out


@pytest.mark.parametrize("words", [["settings"], ["settings", "--json"]])
def test_no_secret_is_shown(words: list[str]) -> None:
    secret = "p" + "wd-7"
    code, out, err = here(
        *words,
        WHEREWITHAL_BROKER="kafka://a:1",
        WHEREWITHAL_BROKER_USERNAME=secret,
        WHEREWITHAL_BROKER_PASSWORD=secret,
        WHEREWITHAL_ONLINE_STORE=f"rediss://me:{secret}@cache:7/3",
    )
    assert (code, err) == (0, "")
    assert secret not in out
    assert "rediss://(not shown)@cache:7/3" in out


def test_every_default_that_can_be_written_as_a_variable_is_that_default() -> None:
    _, out, _ = here("settings", "--json", WHEREWITHAL_ITEMS=None)
    plain = load_settings()
    for name, setting in json.loads(out).items():
        if setting["default"] is not None:
            changed = {name: str(setting["default"])}
            code, again, err = here("settings", "--json", **changed)
            assert (code, err) == (0, ""), name
            assert json.loads(again)[name]["value"] == setting["value"]
    assert {variable(field) for field in type(plain).model_fields} == VARIABLES


def test_the_version_names_the_release_and_what_it_runs_on_without_importing_it() -> None:
    code, out, err = run("--version", PYTHONPROFILEIMPORTTIME="1")
    assert code == 0
    first, second = out.splitlines()
    assert first.startswith("wherewithal ")
    assert f"aiokafka {version('aiokafka')}" in second
    assert f"torch {version('torch')}" in second
    assert second.startswith("Python 3.")
    imported = {line.rpartition("|")[2].strip() for line in err.splitlines() if "|" in line}
    assert "argparse" in imported
    assert not imported & {"torch", "faust", "aiokafka", "feast", "transformers"}
