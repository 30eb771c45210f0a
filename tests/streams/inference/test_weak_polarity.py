"""Where a head of polarity tells little is said in one line, with what to do about it."""

import logging
from pathlib import Path

import pytest
from support.artefacts import polarity_artefact
from support.encoders import HashEncoder

from streams.inference.sentiment import load_sentiment, shipped, weakness_of, weakness_of_shipped
from streams.inference.weak_polarity import WEAK_AUC, weakness

CHINESE = "Chinese shopping"


def head(encoder_name: str, **auc: float):
    return polarity_artefact(encoder_name=encoder_name, metrics={"auc": {CHINESE: auc["chinese"]}})


def test_the_encoder_that_reads_such_texts_best_is_named() -> None:
    others = [head("mini", chinese=0.99), head("good", chinese=0.8), head("best", chinese=0.9)]
    said = weakness({"English films": 0.83, CHINESE: 0.7}, "mini", others)
    assert said == (
        "polarity by mini is weak on Chinese shopping (AUC 0.70, where 0.5 is chance): for such texts take the encoder "
        "best (0.90)"
    )


@pytest.mark.parametrize("others", [[], [head("weak too", chinese=0.74)], [polarity_artefact()]])
def test_where_no_shipped_head_is_better_none_is_named(others: list) -> None:
    said = weakness({CHINESE: 0.6}, "mini", others)
    assert said.startswith("polarity by mini is weak on Chinese shopping (AUC 0.60")
    assert "train a head" in said
    assert "(0." not in said


def test_several_kinds_of_texts_are_in_one_line_that_obeys_nothing() -> None:
    said = weakness({"a\x1b[2J\nb": 0.5, CHINESE: 0.6}, "mini", [])
    assert said.count("AUC") == 2
    assert not set(said) & {"\x1b", "\n"}


def test_what_is_not_weak_or_not_measured_says_nothing() -> None:
    assert weakness({CHINESE: WEAK_AUC}, "mini", [head("best", chinese=0.9)]) == ""
    assert weakness({}, "mini", []) == weakness_of(polarity_artefact()) == ""


def test_of_the_shipped_heads_the_default_one_is_weak_on_chinese_and_the_other_is_the_way_out() -> None:
    identities = {artefact.encoder_name: artefact.polarity.identity for artefact in shipped()}
    said = weakness_of_shipped(identities["all-MiniLM-L6-v2"])
    assert CHINESE in said
    assert "take the encoder multilingual-e5-small" in said
    assert weakness_of_shipped(identities["multilingual-e5-small"]) == ""
    assert weakness_of_shipped("polarity-another@0") == weakness_of_shipped(None) == ""


def test_a_start_says_once_where_the_loaded_head_is_weak(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    polarity_artefact(metrics={"auc": {"reviews": 0.55}}).save(tmp_path / "weak")
    polarity_artefact(metrics={"auc": {"reviews": 0.95}}).save(tmp_path / "good")
    with caplog.at_level(logging.INFO, "wherewithal"):
        load_sentiment(str(tmp_path / "good"), HashEncoder())
        assert not caplog.records
        load_sentiment(str(tmp_path / "weak"), HashEncoder())
    (record,) = caplog.records
    assert "is weak on reviews (AUC 0.55" in record.getMessage()
