"""The words of an item: what the shop calls it, from the product table's brand, category and type.

The table writes for a till: "FRZN NOVELTIES/WTR ICE". Its frequent abbreviations are spelled out, so that a person can
read a title and an encoder of English knows its words. Rare ones stay as they are.
"""

from __future__ import annotations

import re
from typing import Final

_BETWEEN_WORDS: Final = re.compile(r"[^0-9a-z%']+")
_SPELLED_OUT: Final = {
    "bg": "bags", "bkd": "baked", "bn": "beans", "brd": "breaded", "brkfst": "breakfast", "btl": "bottle",
    "btls": "bottles", "btr": "butter", "carb": "carbonated", "catfd": "cat food", "chix": "chicken",
    "choc": "chocolate", "chococlate": "chocolate", "chs": "cheese", "ckys": "cookies", "cleang": "cleaning",
    "cnd": "canned", "cndy": "candy", "conc": "concentrate", "cran": "cranberry", "crbntd": "carbonated",
    "crkr": "crackers", "crmd": "creamed", "crystl": "crystal", "dnr": "dinner", "dnrs": "dinners", "dogfd": "dog food",
    "drnk": "drink", "drnking": "drinking", "drnkng": "drinking", "drnks": "drinks", "drsng": "dressing",
    "dsh": "dishes", "fd": "food", "fem": "feminine", "flv": "flavored", "flvr": "flavored", "flvrd": "flavored",
    "frd": "fried", "frz": "frozen", "frzn": "frozen", "gds": "goods", "grnd": "ground", "hygn": "hygiene",
    "incl": "including", "jce": "juice", "mlk": "milk", "mneral": "mineral", "mnrl": "mineral", "mx": "mix",
    "mxs": "mixes", "oj": "orange juice", "pk": "pack", "pkg": "packaged", "pkgd": "packaged",
    "pkld": "pickled", "pnch": "punch", "pnt": "peanut", "pwdr": "powder", "pwdrs": "powders",
    "refrgratd": "refrigerated", "sald": "salad", "saus": "sausage", "sft": "soft", "sgl": "single",
    "sherbts": "sherbet", "sndwch": "sandwich", "snks": "snacks", "sngl": "single", "sply": "supplies",
    "sprd": "spreads", "srv": "serve", "suppplies": "supplies", "sw": "sweet", "sweetners": "sweeteners",
    "swt": "sweet", "syrp": "syrup", "tiss": "tissue", "trsh": "trash", "veg": "vegetables", "whl": "whole",
    "whlsm": "wholesome", "wtr": "water", "xmas": "christmas",
}  # fmt: skip


def words(text: str | None) -> str:
    """Return a name of the product table in lower case, its words between single spaces; empty for none."""
    spaced = _BETWEEN_WORDS.sub(" ", (text or "").lower()).split()
    return " ".join(_SPELLED_OUT.get(word, word) for word in spaced)


def title(brand: str | None, category: str | None, kind: str | None) -> str:
    """Return the title of an item, such as "private cookies cones tray pack chocolate chip cookies".

    Args:
        brand: "Private" for a brand of the shop's own, "National" for any other.
        category: its product category.
        kind: its product type.
    """
    return " ".join(filter(None, map(words, (brand, category, kind))))
