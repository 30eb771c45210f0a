"""The page of the report says what its numbers are, and they are of the heads that ship."""

import json
from pathlib import Path

from models.artefact.polarity import PolarityArtefact
from streams.inference.sentiment import SHIPPED
from streams.offline.sentiment.page import page

REPORT = Path(__file__).parents[4] / "docs" / "report"


def test_the_page_follows_from_the_numbers_beside_it() -> None:
    document = json.loads((REPORT / "sentiment.json").read_bytes())
    assert page(document) == (REPORT / "sentiment.md").read_text(encoding="utf-8")


def test_the_report_is_of_the_heads_that_ship() -> None:
    document = json.loads((REPORT / "sentiment.json").read_bytes())
    shipped = {path.parent.name: PolarityArtefact.load(path.parent) for path in SHIPPED.glob("*/model.json")}
    assert {name: head["head"] for name, head in document["heads"].items()} == {
        name: artefact.polarity.identity for name, artefact in shipped.items()
    }


def test_a_head_is_ahead_of_the_lexicon_where_its_encoder_reads_the_language() -> None:
    document = json.loads((REPORT / "sentiment.json").read_bytes())
    lexicon = document["baselines"]["lexicon"]
    for encoder, corpus in (
        ("all-MiniLM-L6-v2", "English films"),
        ("multilingual-e5-small", "English films"),
        ("multilingual-e5-small", "Chinese shopping"),
    ):
        judged = document["heads"][encoder]["corpora"][corpus]
        assert judged["accuracy"]["low"] > lexicon[corpus]["accuracy"]["high"]
        assert judged["brier"]["high"] < lexicon[corpus]["brier"]["low"]
