"""Small changes that keep the meaning of a text: typing errors, case, punctuation, spaces, a synonym."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from typing import Final

_SYNONYMS: Final = {
    "album": "record", "record": "album", "disc": "disk", "cd": "compact disc", "best": "finest", "great": "splendid",
    "good": "fine", "bad": "poor", "sound": "audio", "bought": "purchased", "songs": "tracks", "tracks": "songs",
    "loves": "adores", "singing": "vocals", "arrived": "came", "came": "arrived", "expected": "hoped for",
    "recording": "take", "set": "collection", "collection": "set", "new": "recent", "rare": "scarce", "gift": "present",
    "cheap": "inexpensive", "fast": "quick", "happy": "pleased", "product": "item", "price": "cost",
    "专辑": "唱片", "唱片": "专辑", "推荐": "力荐", "喜欢": "喜爱", "满意": "称心", "精选": "精华",
    "失望": "沮丧", "很快": "迅速",
}  # fmt: skip
_WORD: Final = re.compile("|".join(rf"\b{word}\b" if word.isascii() else word for word in _SYNONYMS), re.IGNORECASE)
_LETTERS: Final = re.compile(r"[^\W\d_]{2,}")
_MARK: Final = re.compile(r"[.,;:!?。，！？]")
_TYPOS_PER_LETTERS: Final = 25
"""Letters per slip; every text has at least one slip."""


def typing_errors(text: str, rng: random.Random) -> str:
    """Swap neighbouring letters within words, one pair for every 25 letters and at least one."""
    places = [at for word in _LETTERS.finditer(text) for at in range(word.start(), word.end() - 1)]
    letters = list(text)
    for at in rng.sample(places, min(len(places), 1 + len(places) // _TYPOS_PER_LETTERS)):
        letters[at], letters[at + 1] = letters[at + 1], letters[at]
    return "".join(letters)


def case(text: str, rng: random.Random) -> str:
    """Write all of it in capitals, or all in small letters."""
    return text.upper() if rng.random() < 0.5 else text.lower()


def punctuation(text: str, rng: random.Random) -> str:
    """Leave out the marks, or, where there are none, end with one."""
    return _MARK.sub(" ", text) if _MARK.search(text) else text + rng.choice((".", "!", "..."))


def spaces(text: str, rng: random.Random) -> str:
    """Double one of the spaces, and add some around the text."""
    gaps = [at for at, letter in enumerate(text) if letter == " "]
    at = rng.choice(gaps) if gaps else len(text)
    return f" {text[:at]} {text[at:]}  "


def synonym(text: str, rng: random.Random) -> str:
    """Replace a known word by a synonym. A text without a known word stays unchanged."""
    found = list(_WORD.finditer(text))
    if not found:
        return text
    word = rng.choice(found)
    return text[: word.start()] + _SYNONYMS[word.group().lower()] + text[word.end() :]


KINDS: Final[Mapping[str, Callable[[str, random.Random], str]]] = {
    "typing_errors": typing_errors,
    "case": case,
    "punctuation": punctuation,
    "spaces": spaces,
    "synonym": synonym,
}


def perturbed(text: str, kind: str, seed: int) -> str:
    """Return a text with one kind of change; the same arguments give the same text."""
    # A string seed goes through SHA-512, so it does not depend on the interpreter's hash seed.
    return KINDS[kind](text, random.Random(f"{seed}/{kind}/{text}"))
