"""Which texts say nothing about a shopper: advertising and gibberish, judged from the text alone.

Rules look for positive evidence and abstain otherwise: a short, empty or enthusiastic text is not noise.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from models.text import cleaning, lexicon

REVISION: Final = 1
"""To be raised when code, rather than a constant of this module, changes what is noise."""

CHANNEL: Final = "|".join(lexicon.CHANNELS)
CHANNEL_NAMED: Final = re.compile(CHANNEL)
# "Add my WeChat" with a handle; one without a digit only where a mark or a Chinese name sets it apart.
SOLICITATION: Final = re.compile(
    rf"(?:加|\+|➕).{{0,6}}?(?:{CHANNEL}|群|[v薇徽](?=[:@号]))[号群是:@]{{0,3}}"
    r"(?:(?=[a-z0-9_-]{5})[a-z_-]{0,20}[0-9]|(?<=[信号:@])[a-z][a-z_-]{4,})"
    rf"|加(?:我|你|他)?(?:{CHANNEL}|[v薇徽]).{{0,8}}?(?:{'|'.join(lexicon.BENEFITS)})"
)
# A messenger followed by a handle that begins with @, has a digit, or is a number.
HANDLE: Final = re.compile(
    rf"(?<![a-z])(?:{CHANNEL})(?:\s?(?:号码?|群号?|id|me|us|at|now))?[\s:是]{{0,4}}"
    r"(?:@[a-z0-9_]{4,}|(?=[a-z0-9_-]{6})[a-z][a-z_-]{0,20}[0-9]|\+?\(?[0-9][0-9() -]{5,}(?![0-9a-z])"
    r"|(?<=信:)[a-z][a-z0-9_-]{4,}|(?<=[vw]x:)[a-z][a-z0-9_-]{4,})"
)

MANY_LINKS: Final = 3
FEWEST_WEAK: Final = 2
# Phrases in Latin letters keep their spaces; the others are looked for in a text without any.
LATIN_STRONG: Final = tuple(phrase for phrase in lexicon.STRONG_SLOGANS if phrase.isascii())
LATIN_WEAK: Final = tuple(phrase for phrase in lexicon.WEAK_SLOGANS if phrase.isascii())
CHINESE_STRONG: Final = re.compile("|".join(p for p in lexicon.STRONG_SLOGANS if not p.isascii()))
CHINESE_WEAK: Final = re.compile("|".join(p for p in lexicon.WEAK_SLOGANS if not p.isascii()))
SLOGAN_PATTERN: Final = re.compile("|".join(lexicon.SLOGAN_PATTERNS))
SLOGAN_HINTS: Final = ("免费领取", "% free", "earn ", "make ", "win ")
"""One of these occurs in every text that SLOGAN_PATTERN matches, and is far cheaper to look for."""

# From here on a repetition is no longer laughter or emphasis.
REPETITIVE_LENGTH: Final = 20
REPETITIVE_SHARE: Final = 0.8
REPEATED_UNIT: Final = re.compile(r"(.{1,12}?)\1{5,}")
REPEATED_UNIT_ALPHABET: Final = 14
REPEATED_WORDS: Final = 8
REPEATED_WORD_SHARE: Final = 0.6
WORD: Final = re.compile(r"[^\W_]+")

CONSONANTS: Final = "bcdfghjklmnpqrstvwxz"
VOWELS: Final = "aeiouy"
MASHED_LETTERS: Final = 4
MASHED_SHARE: Final = 0.6
MASHED_VOWELS: Final = 0.34
# Only whole words of ASCII letters: model numbers, and words with accents, follow other rules.
LATIN_WORD: Final = re.compile(r"(?<![0-9_a-z\u00c0-\u024f])[a-z]{4,}(?![0-9_a-z\u00c0-\u024f])")
STRETCHED: Final = re.compile(r"(.)\1+")
KEY_ROW: Final = re.compile("|".join(lexicon.KEY_ROWS))
RARE_PAIR: Final = re.compile("|".join(f"{first}[{rest}]" for first, rest in lexicon.RARE_PAIRS.items()))
FEWEST_RARE_PAIRS: Final = 3
RARE_PAIRS_PER_LETTER: Final = 0.12

SYMBOL: Final = re.compile(r"[@#$%&*+=|\\{}\[\]/<>~`^]")
SYMBOLS_NEEDED: Final = 6
SYMBOLS_DISTINCT: Final = 4
SYMBOLS_SHARE: Final = 0.6

IDEOGRAPH: Final = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]")
RARE_IDEOGRAPHS: Final = 6
RARE_SHARE: Final = 0.5
ALTERNATION: Final = re.compile("(?:[\u3400-\u4dbf\u4e00-\u9fff][a-z0-9]){6,}")
ALTERNATION_SHARE: Final = 0.6
UNDECODED: Final = "\ufffd"
UNDECODED_SHARE: Final = 0.3


@dataclass(frozen=True, slots=True)
class _Reading:
    """A text in the forms that the rules look at.

    Attributes:
        text: decoded, without markup, in lower case, white space collapsed; links still in it.
        prose: the same without links.
        joined: the prose without white space.
        links: the links, in order.
    """

    text: str
    prose: str
    joined: str
    links: list[str]


def _read(raw: str) -> _Reading:
    text = " ".join(cleaning.remove_tags(cleaning.decode(raw)).lower().split())
    links = cleaning.find_links(text)
    prose = cleaning.remove_links(text) if links else text
    return _Reading(text, prose, "".join(prose.split()), links)


def reason(text: str) -> str | None:
    """Return the name of the first rule that takes the raw text for noise, or None.

    Total, and linear in the length of the text. Empty text is not noise.
    """
    reading = _read(text)
    for name, fires in RULES_IN_ORDER:
        if fires(reading):
            return name
    return None


def is_noisy(text: str) -> bool:
    """Tell whether the raw text, by itself, is advertising or gibberish."""
    return reason(text) is not None


def fingerprint() -> str:
    """Return the hex SHA-256 of the noise rules, of their word lists and of the cleaning that precedes them."""
    return cleaning.digest(sys.modules[__name__], lexicon, cleaning)


def _reports(reading: _Reading) -> bool:
    return any(phrase in reading.text for phrase in lexicon.REPORTED_SPEECH)


def _asks_for_contact(reading: _Reading) -> bool:
    # A disguise such as "加 v 信 : abc" is read without its spaces.
    asks = ("加" in reading.joined or "+" in reading.joined) and SOLICITATION.search(reading.joined)
    if not asks:
        asks = CHANNEL_NAMED.search(reading.prose) and HANDLE.search(reading.prose)
    return bool(asks) and not _reports(reading)


def _promotes_link(reading: _Reading) -> bool:
    if not reading.links:
        return False
    return len(set(reading.links)) >= MANY_LINKS or any(call in reading.prose for call in lexicon.LINK_CALLS)


def _has_slogan(reading: _Reading) -> bool:
    text, joined = reading.prose, reading.joined
    if any(map(text.__contains__, LATIN_STRONG)) or CHINESE_STRONG.search(joined):
        return True
    if any(map(text.__contains__, SLOGAN_HINTS)) and SLOGAN_PATTERN.search(text):
        return True
    weak = sum(map(text.__contains__, LATIN_WEAK)) + len(set(CHINESE_WEAK.findall(joined)))
    return weak >= FEWEST_WEAK and not _reports(reading)


def _repeats(reading: _Reading) -> bool:
    joined = reading.joined
    if len(joined) < REPETITIVE_LENGTH:
        return False
    enough = REPETITIVE_SHARE * len(joined)
    distinct = len(set(joined))
    # The others must fit in what the frequent one leaves, which spares most texts the counting.
    if distinct <= len(joined) - enough + 1 and Counter(joined).most_common(1)[0][1] >= enough:
        return True
    # A repeated unit has few characters, which spares ordinary texts the search for one.
    if distinct <= REPEATED_UNIT_ALPHABET:
        repeated = sum(found.end() - found.start() for found in REPEATED_UNIT.finditer(joined))
        if repeated >= enough:
            return True
    words = WORD.findall(reading.prose)
    if len(words) < REPEATED_WORDS or len(set(words)) > len(words) / 2:
        return False
    return Counter(words).most_common(1)[0][1] >= REPEATED_WORD_SHARE * len(words)


def _mashes_keys(reading: _Reading) -> bool:
    prose = reading.prose
    vowels = sum(map(prose.count, VOWELS))
    latin = vowels + sum(map(prose.count, CONSONANTS))
    rolls = KEY_ROW.search(prose) is not None
    if latin < MASHED_LETTERS or (vowels >= MASHED_VOWELS * latin and not rolls):
        return False
    written = latin if prose.isascii() else latin + len(IDEOGRAPH.findall(prose))
    mashed = pairs = 0
    for word in LATIN_WORD.findall(prose):
        rare = len(RARE_PAIR.findall(STRETCHED.sub(r"\1", word)))
        if rare or KEY_ROW.search(word):
            mashed += len(word)
            pairs += rare
    # One rare pair is a name ("Bjork"), or an acronym; a few are a language with other habits.
    random = pairs >= max(FEWEST_RARE_PAIRS, RARE_PAIRS_PER_LETTER * latin)
    return mashed >= MASHED_SHARE * written and (rolls or random)


def _is_symbols(reading: _Reading) -> bool:
    symbols = SYMBOL.findall(reading.joined)
    return (
        len(symbols) >= SYMBOLS_NEEDED
        and len(set(symbols)) >= SYMBOLS_DISTINCT
        and len(symbols) >= SYMBOLS_SHARE * len(reading.joined)
    )


def _is_random_characters(reading: _Reading) -> bool:
    joined = reading.joined
    if joined.isascii():
        return False
    if any(trace in joined for trace in lexicon.MOJIBAKE):
        return True
    if joined.count(UNDECODED) >= UNDECODED_SHARE * len(joined):
        return True
    alternating = sum(found.end() - found.start() for found in ALTERNATION.finditer(joined))
    return alternating >= max(ALTERNATION_SHARE * len(joined), 1) or _is_rare(joined)


def _is_rare(joined: str) -> bool:
    """Tell whether most characters are ideographs that neither simplified nor traditional text uses."""
    enough = max(RARE_IDEOGRAPHS, RARE_SHARE * len(joined))
    simplified = joined.encode("gb2312", "ignore").decode("gb2312")
    if len(joined) - len(simplified) < enough:
        return False
    traditional = joined.encode("big5", "ignore").decode("big5")
    known = set(simplified) | set(traditional)
    return sum(ideograph not in known for ideograph in IDEOGRAPH.findall(joined)) >= enough


RULES_IN_ORDER: Final[tuple[tuple[str, Callable[[_Reading], bool]], ...]] = (
    ("advertising_contact", _asks_for_contact),
    ("advertising_link", _promotes_link),
    ("advertising_slogan", _has_slogan),
    ("repetition", _repeats),
    ("gibberish_keyboard", _mashes_keys),
    ("gibberish_symbols", _is_symbols),
    ("gibberish_characters", _is_random_characters),
)
