"""Edits that leave what a text says: synonyms, clauses in another order, a word less. Nothing is downloaded."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

SYNONYMS: Final = (
    ("good", "fine", "nice"),
    ("great", "excellent", "wonderful", "superb"),
    ("bad", "poor", "lousy"),
    ("terrible", "awful", "horrible", "dreadful"),
    ("cheap", "inexpensive", "low-priced"),
    ("expensive", "costly", "pricey"),
    ("very", "really", "extremely"),
    ("fast", "quick", "speedy"),
    ("buy", "purchase"),
    ("broken", "defective", "faulty"),
    ("love", "adore"),
    ("hate", "detest"),
    ("big", "large"),
    ("small", "little"),
    ("recommend", "suggest"),
    ("非常", "十分", "特别", "很"),
    ("便宜", "实惠", "划算"),
    ("漂亮", "好看", "美观"),
    ("喜欢", "喜爱"),
    ("失望", "遗憾"),
    ("糟糕", "很差", "差劲"),
    ("不错", "挺好", "蛮好"),
    ("满意", "称心"),
    ("马上", "立刻", "立即"),
    ("购买", "买"),
    ("觉得", "感觉", "认为"),
    ("但是", "不过", "可是"),
    ("服务员", "工作人员"),
    ("价格", "价钱"),
    ("酒店", "宾馆"),
)
"""Words that stand for each other in what shoppers write."""

SWAP: Final = 0.5
REORDER: Final = 0.3
DROP: Final = 0.05

_OTHERS: Final = {word: tuple(other for other in group if other != word) for group in SYNONYMS for word in group}
# Longer ones first: some words begin with others. Latin words only whole.
_WORDS: Final = re.compile(
    "|".join(
        rf"\b{word}\b" if word.isascii() else word for word in sorted(_OTHERS, key=lambda word: (-len(word), word))
    ),
    re.IGNORECASE,
)
_CLAUSE: Final = re.compile(r"[^,;.!?，；。！？]+[,;.!?，；。！？]*")
_UNIT: Final = re.compile(r"[^\W\d_][A-Za-z'-]*|\s+|.", re.DOTALL)


def edit(text: str, random: np.random.Generator) -> str:
    """Return the text edited, never empty where it was not.

    Half of its words with a synonym are replaced; then, in three texts of ten, its clauses change their order; then
    one word or ideograph of twenty is left out.

    Args:
        text: a cleaned text.
        random: decides, so that the same state gives the same edit.
    """

    def other(found: re.Match[str]) -> str:
        choices = _OTHERS[found[0].lower()]
        return choices[int(random.integers(len(choices)))] if random.random() < SWAP else found[0]

    edited = _WORDS.sub(other, text)
    clauses = _CLAUSE.findall(edited)
    if len(clauses) > 1 and random.random() < REORDER:
        edited = " ".join(clauses[index].strip() for index in random.permutation(len(clauses)))
    kept = [unit for unit in _UNIT.findall(edited) if not unit[0].isalpha() or random.random() >= DROP]
    return "".join(kept).strip() or text
