"""Cleaning a text for the encoder: without markup, links, invisible characters, stretched runs and personal data.

The order of the steps makes `clean` idempotent: a space stands for each removed piece, so that no removal joins two
pieces into something an earlier step would have taken, and each step's output is stable under the earlier ones.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import sys
import unicodedata
from types import FunctionType, ModuleType
from typing import Final

import emoji

from models.text import lexicon, masking

LIBRARIES: Final = (emoji.__version__, unicodedata.unidata_version)
REVISION: Final = 1
"""To be raised when code, rather than a constant of this module, changes what `clean` returns."""

# Controls but for white space, formats (zero-width and bidi among them), surrogates, private use, variation
# selectors, fillers without a glyph and the keycap that encloses a digit.
INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160"
    "\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20e3\u2800\u3164\ud800-\udfff\ue000-\uf8ff"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff]+"
)
# NFKC would do the same, but takes twice as long on a text that has nothing else for it: most Chinese ones.
_FULL_WIDTH = re.compile("[\uff01-\uff5e]+")
_TO_ASCII = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
# A semicolon is required, so that "AT&T" and "a&lt" in a query stay; unknown names stay too.
ENTITY: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
ENTITY_DEPTH: Final = 3
"""Rounds of decoding of entities written about entities; deeper ones are dropped, which bounds the work."""

# Runs of punctuation are single by the time this is used, those of a comment's dashes too.
TAG: Final = re.compile(
    rf"<(?:!-|(?:/*(?:{'|'.join(lexicon.TAG_NAMES)})|!doctype|\?xml)(?=[\s/<>]))[^>]*>", re.IGNORECASE
)

_LINK = r"[!#-&(-;=?-~]*(?:[A-Za-z0-9/=&#_~$%+@*-]|\[EMAIL\])"
URL: Final = re.compile(
    rf"(?<![A-Za-z])(?:(?:https?|ftp)://|www\.){_LINK}"
    r"|(?<![A-Za-z0-9.-])\.*(?:[A-Za-z0-9-]+\.)+"
    rf"(?:(?:{'|'.join(lexicon.DOMAINS)})(?![A-Za-z])(?:[/?#:]{_LINK}|/)?"
    rf"|(?:{'|'.join(lexicon.WORD_DOMAINS)})/(?:{_LINK})?)",
    re.IGNORECASE,
)
"""A link with a scheme, with `www.`, or a bare domain; punctuation that closes a sentence is not part of it."""
_DOT_INSIDE = re.compile(r"\.[!-~]")

# Sorting a run of combining marks takes quadratic time in `unicodedata.normalize`; the Stream-Safe Text Format
# (UAX #15) bounds it, with a limit that no written language reaches.
MAX_MARKS: Final = 30
_MARKS = "".join(chr(code) for code in range(0x300, 0x10000) if unicodedata.combining(chr(code)))
SURPLUS_MARKS: Final = re.compile(rf"([{_MARKS}]{{{MAX_MARKS}}})[{_MARKS}]+")

MAX_RUN: Final = 3
# Digits are exempt: 10000 and 1000 are different amounts of money.
RUN: Final = re.compile(rf"([^\d\s])\1{{{MAX_RUN},}}")
# Two quotes or primes are inches; two slashes belong to a link. RUN still bounds them.
_KEPT_PUNCTUATION = "/'\u2032"
PUNCTUATION_RUN: Final = re.compile(
    "(["
    + "".join(
        re.escape(chr(code))
        for code in range(0x10000)
        if unicodedata.category(chr(code)).startswith("P") and chr(code) not in _KEPT_PUNCTUATION
    )
    + r"])\1+"
)


def _emoji_names() -> dict[str, str]:
    """Return the English words of every single-character emoji that NFKC keeps, and of every flag."""
    names = {}
    for sequence, entry in emoji.EMOJI_DATA.items():
        single = len(sequence) == 1 and ord(sequence) > 0xFF
        flag = len(sequence) == 2 and all("\U0001f1e6" <= letter <= "\U0001f1ff" for letter in sequence)
        if (single or flag) and unicodedata.is_normalized("NFKC", sequence):
            words = unicodedata.normalize("NFKC", entry["en"]).replace("_", " ")
            names[sequence] = " ".join(re.sub(r"[^\w ]+", " ", words).split())
    return names


# Words, not one kept emoji: the vocabulary of the default encoder has none, so that each would become [UNK].
EMOJI_NAMES: Final = _emoji_names()
# One range for the pictographs beyond the basic plane, where a class of single characters is slow to search; one
# that has no name there is dropped.
_SYMBOLS = "".join(sorted(name for name in EMOJI_NAMES if len(name) == 1 and ord(name) < 0x10000))
_EMOJI = f"[{_SYMBOLS}\U0001f000-\U0001faff]"
EMOJI_RUN: Final = re.compile(rf"{_EMOJI}(?:\s*+{_EMOJI})*+")


def clean(text: str) -> str:
    """Return the text as the encoder reads it, in one line; possibly empty.

    NFKC; entities decoded and HTML tags removed; links removed; control, zero-width, bidi and private-use
    characters removed; a run of emoji named in English words by its first; a character repeated more than three
    times kept three times (digits as they are, punctuation once); white space collapsed; personal data masked.

    Total (lone surrogates included), idempotent and linear in the length of the text.
    """
    text = decode(text)
    if not text.isascii():
        text = EMOJI_RUN.sub(_name, text)
    text = RUN.sub(r"\1" * MAX_RUN, PUNCTUATION_RUN.sub(r"\1", text))
    if "&" in text:
        text = ENTITY.sub(" ", text)
    # Addresses go before links, or their domain would be taken for one.
    text = remove_links(masking.mask_emails(text))
    text = " ".join(remove_tags(text).split())
    # Only a mask in brackets doubles one here: longer runs are gone.
    return masking.mask_numbers(text).replace("[[", "[").replace("]]", "]")


def decode(text: str) -> str:
    """Return the text in NFKC with its entities decoded and without invisible characters."""
    text = _characters(text)
    for _ in range(ENTITY_DEPTH):
        if "&" not in text:
            break
        decoded = ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
        if decoded == text:
            break
        text = _characters(decoded)
    return text


def find_links(text: str) -> list[str]:
    """Return the links of a text, in order."""
    return URL.findall(text) if _may_link(text) else []


def remove_links(text: str) -> str:
    """Replace every link by a space."""
    return URL.sub(" ", text) if _may_link(text) else text


def _may_link(text: str) -> bool:
    # Spares most texts the search for a domain at every word.
    return "://" in text or _DOT_INSIDE.search(text) is not None


def remove_tags(text: str) -> str:
    """Replace every HTML tag and comment by a space."""
    # Up to the last bracket every tag that begins also ends, so that no search runs in vain to the end.
    markup, bracket, rest = text.rpartition(">")
    return TAG.sub(" ", markup + bracket) + rest if "<" in markup else text


def fingerprint() -> str:
    """Return the hex SHA-256 of the rules of cleaning and masking and of the tables they rest on."""
    return digest(sys.modules[__name__], masking)


def digest(*modules: ModuleType) -> str:
    """Return the hex SHA-256 over the rules of modules: the name and value of every constant in capitals.

    Comments and layout have no part in it, nor has the folder that a module lies in.
    """
    rules = [
        # As the modules were called when artefacts in use were written: an artefact fits only the digest it names.
        [f"models.{module.__name__.rpartition('.')[2]}", name, value]
        for module in modules
        for name, value in sorted(vars(module).items())
        if name.isupper()
    ]
    return hashlib.sha256(json.dumps(rules, default=_plain, sort_keys=True).encode()).hexdigest()


def _plain(value: object) -> object:
    """Spell out what JSON does not know; code stands for itself by its name."""
    if isinstance(value, re.Pattern):
        return [value.pattern, value.flags]
    if isinstance(value, range):
        return [value.start, value.stop, value.step]
    if isinstance(value, FunctionType):
        return value.__name__
    raise TypeError(
        f"expected a rule made of text, numbers, patterns, ranges or functions, found {type(value).__name__}: "
        "give it one of these types, or a name that is not in capitals"
    )


def _characters(text: str) -> str:
    text = INVISIBLE.sub("", text)
    if text.isascii():
        return text
    text = _FULL_WIDTH.sub(lambda run: run[0].translate(_TO_ASCII), text)
    normalised = unicodedata.normalize("NFKC", SURPLUS_MARKS.sub(r"\1", text))
    # Decomposition can lengthen a run again.
    return SURPLUS_MARKS.sub(r"\1", normalised)


def _name(run: re.Match[str]) -> str:
    first = EMOJI_NAMES.get(run[0][:2]) or EMOJI_NAMES.get(run[0][0], "")
    return f" {first} "
