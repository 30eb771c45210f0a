"""The baseline of word lists."""

import pytest

from streams.offline.sentiment import lexicon
from streams.offline.sentiment.lexicon import Lexicon

XML = """<?xml version="1.0" encoding="utf-8"?>
<sentiment><word form="good" polarity="0.8"/><word form="good" polarity="0.6"/><word form="bad" polarity="-0.7"/>
<word form="blue" polarity="0.0"/></sentiment>"""


@pytest.fixture
def words(tmp_path, monkeypatch: pytest.MonkeyPatch) -> Lexicon:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "en-sentiment.xml").write_text(XML)
    monkeypatch.setattr(lexicon, "package_folder", lambda name: tmp_path)
    return Lexicon()


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("A GOOD hat", 0.7),
        ("bad", -0.7),
        ("not good", -0.7),
        ("it isn't very good", -0.7),
        ("not once did I regret this good hat", 0.7),
        ("good and bad", 0.0),
        ("blue", 0.0),
        ("", 0.0),
        ("质量很好", 1.0),
        ("不错", 1.0),
        ("不好", -1.0),
        ("没失望", 1.0),
        ("没有问题,good", 0.85),
    ],
)
def test_scores_by_hand(words: Lexicon, text: str, score: float) -> None:
    assert words.score(text) == pytest.approx(score)
