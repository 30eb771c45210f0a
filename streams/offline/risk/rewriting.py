"""Light rewrites of a review, as a campaign makes them of one text: enough to pass a check for equal texts."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Final

_CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")
_CLAUSES: Final = re.compile(r"(?<=[，。！？；,.!?;])")
_MARKS: Final = re.compile(r"[，。！？；,.!?;~]+")
_ENGLISH_MARKS: Final = (".", "!", "!!", "...", ",")
_CHINESE_MARKS: Final = ("。", "！", "！！", "~", "，", "…")
_EMOJIS: Final = ("😀", "👍", "❤️", "🎉", "😡", "👏👏", "💯", "🙂")
_OPENINGS: Final = ("Honestly, ", "So, ", "In short: ", "Well, ", "My view: ")
_CHINESE_OPENINGS: Final = ("总的来说，", "说实话，", "个人觉得，", "收到了，", "用了几天，")
_NAMES: Final = ("Norvik 2", "Alba", "Teno X", "Mirra")
_CHINESE_NAMES: Final = ("诺维克", "阿尔巴", "特诺", "米拉")
_SYNONYMS: Final = {
    "good": "great", "great": "fine", "bad": "poor", "very": "really", "film": "movie", "movie": "film",
    "funny": "amusing", "but": "yet", "and": "&", "big": "large", "best": "finest", "makes": "renders",
}  # fmt: skip
_CHINESE_SYNONYMS: Final = {
    "很": "非常", "非常": "特别", "不错": "挺好", "但是": "不过", "就是": "只是", "喜欢": "喜爱", "东西": "商品",
    "速度": "效率", "觉得": "感觉", "还": "也还", "太": "实在太", "质量": "品质",
}  # fmt: skip


def rewritten(text: str, rng: random.Random, edits: int = 3) -> str:
    """Return a text after so many random edits: of words, punctuation, emojis, an opening or a product's name."""
    chinese = bool(_CHINESE.search(text))
    chosen = rng.sample(_EDITS, k=min(edits, len(_EDITS)))
    for edit in chosen:
        text = edit(text, rng, chinese)
    return text


def _swapped(text: str, rng: random.Random, chinese: bool) -> str:
    parts = [part for part in _CLAUSES.split(text) if part] if chinese else text.split(" ")
    if len(parts) > 1:
        place = rng.randrange(len(parts) - 1)
        parts[place], parts[place + 1] = parts[place + 1], parts[place]
    return ("" if chinese else " ").join(parts)


def _replaced(text: str, rng: random.Random, chinese: bool) -> str:
    table = _CHINESE_SYNONYMS if chinese else _SYNONYMS
    found = [word for word in table if (word in text if chinese else re.search(rf"\b{word}\b", text))]
    for word in rng.sample(found, k=min(2, len(found))):
        text = text.replace(word, table[word], 1) if chinese else re.sub(rf"\b{word}\b", table[word], text, count=1)
    return text


def _punctuated(text: str, rng: random.Random, chinese: bool) -> str:
    marks = _CHINESE_MARKS if chinese else _ENGLISH_MARKS
    return _MARKS.sub(lambda _: rng.choice(marks), text)


def _decorated(text: str, rng: random.Random, _chinese: bool) -> str:
    return text + rng.choice(_EMOJIS)


def _opened(text: str, rng: random.Random, chinese: bool) -> str:
    return rng.choice(_CHINESE_OPENINGS if chinese else _OPENINGS) + text


def _named(text: str, rng: random.Random, chinese: bool) -> str:
    parts = [part for part in _CLAUSES.split(text) if part] if chinese else text.split(" ")
    name = rng.choice(_CHINESE_NAMES if chinese else _NAMES)
    parts.insert(rng.randrange(len(parts) + 1), name)
    return ("" if chinese else " ").join(parts)


def _shortened(text: str, rng: random.Random, chinese: bool) -> str:
    parts = [part for part in _CLAUSES.split(text) if part] if chinese else text.split(" ")
    if len(parts) > (2 if chinese else 8):
        del parts[rng.randrange(len(parts))]
    return ("" if chinese else " ").join(parts)


_EDITS: Final[tuple[Callable[[str, random.Random, bool], str], ...]] = (
    _swapped, _replaced, _punctuated, _decorated, _opened, _named, _shortened,
)  # fmt: skip
