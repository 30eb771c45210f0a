"""Personal data replaced by its kind: e-mail addresses, telephone, payment card and national id numbers.

The patterns only propose; `phonenumbers` and `stdnum` decide, from tables they carry, so that prices, years, model
and most order numbers stay. Digits are ASCII digits: NFKC first turns full-width ones into them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

import phonenumbers
import stdnum
from stdnum import luhn
from stdnum.cn import ric
from stdnum.us import ssn

EMAIL_TOKEN: Final = "[EMAIL]"
PHONE_TOKEN: Final = "[PHONE]"
CARD_TOKEN: Final = "[CARD]"
ID_TOKEN: Final = "[ID]"
LIBRARIES: Final = (phonenumbers.__version__, stdnum.__version__)
REVISION: Final = 1
"""To be raised when code, rather than a constant of this module, changes what is masked."""

# The lookbehind keeps the scan linear: a run of local-part characters is tried from its start only. What is written
# on after the address goes with it, since it may be a piece of another one.
EMAIL: Final = re.compile(
    r"(?<![\w.%+-])(\.*)[\w%+-][\w.%+-]*@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?:[\w.%+-]*[\w%+-])?", re.ASCII
)

DIGITS_NEEDED: Final = 7
ENOUGH_DIGITS: Final = re.compile(rf"(?:[0-9][^0-9A-Za-z]{{0,3}}){{{DIGITS_NEEDED - 1}}}[0-9]")

RESIDENT_ID: Final = re.compile(
    r"(?<![0-9])[1-9][0-9]{5}[ -]?(?:18|19|20)[0-9]{2}[ -]?[01][0-9][0-3][0-9]"
    r"[ -]?[0-9]{3}(?:[0-9](?![0-9])|[Xx])(?![A-Za-z])"
)
SOCIAL_SECURITY: Final = re.compile(r"(?<![0-9-])[0-9]{3}-[0-9]{2}-[0-9]{4}(?![0-9-])")
# Issuer prefixes and lengths of ISO/IEC 7812: American Express 15, Diners Club 14, the others 16 to 19 digits.
CARD: Final = re.compile(
    r"(?<![0-9])(?:3[47][0-9]{2}([ -]?)[0-9]{6}\1[0-9]{5}"
    r"|3[0689][0-9]{2}([ -]?)[0-9]{6}\2[0-9]{4}"
    r"|(?:2[2-7]|[3-6][0-9])[0-9]{2}([ -]?)[0-9]{4}\3[0-9]{4}\3[0-9]{4}(?:\3[0-9]{1,3})?)(?![0-9])"
)
PHONE: Final = re.compile(
    r"(?P<international>\(?\+[0-9]{1,15}(?:[ ().-]{1,3}[0-9]{1,14}){0,5}(?![0-9])"
    r"|(?<![0-9])00[1-9][0-9]{0,14}(?:[ -][0-9]{1,14}){0,5}(?![0-9]))"
    r"|(?:(?<![0-9])|(?=\())(?:(?P<china>"
    r"(?:\(?86\)?[ -]?)?1[3-9][0-9]"
    r"(?:[ -]?[0-9]{4}[ -]?[0-9]{4}|[0-9][ -]?[0-9]{3}[ -]?[0-9]{4}|[ -]?[0-9]{3}[ -]?[0-9]{5})"
    r"|\(?0[1-9][0-9]{1,2}\)?[ -]{0,2}[0-9]{3,4}[ -]?[0-9]{4}"
    r"|[48]00-?[0-9]{3}-?[0-9]{4})"
    r"|(?P<written>(?:1[ .-]?)?(?:\([2-9][0-9]{2}\)[ -]?[0-9]{3}[ .-]?|[2-9][0-9]{2}-[0-9]{3}-)[0-9]{4})"
    r"|(?P<america>(?:1[ .-]?)?[2-9][0-9]{2}[ .]?[2-9][0-9]{2}[ .]?[0-9]{4}))(?![0-9])"
)
E164_DIGITS: Final = range(8, 16)
GROUP_END: Final = re.compile(r"[0-9](?![0-9])")
NOT_DIGIT: Final = re.compile(r"[^0-9]+")


def mask(text: str) -> str:
    """Replace personal data by `[EMAIL]`, `[PHONE]`, `[CARD]` and `[ID]`.

    Total, idempotent and linear in the length of the text; anything else is left as it is.
    """
    return mask_numbers(mask_emails(text))


def mask_emails(text: str) -> str:
    """Replace e-mail addresses (ASCII, as RFC 5322's dot-atom form) by `[EMAIL]`."""
    return EMAIL.sub(rf"\1{EMAIL_TOKEN}", text) if "@" in text else text


def mask_numbers(text: str) -> str:
    """Replace telephone, payment card and national id numbers by their kind.

    Ids and cards go first: an eleven-digit piece of either can be a valid telephone number.
    """
    if ENOUGH_DIGITS.search(text) is None:
        return text
    text = _replace(text, RESIDENT_ID, _resident_id_end, ID_TOKEN)
    text = _replace(text, SOCIAL_SECURITY, _social_security_end, ID_TOKEN)
    text = _replace(text, CARD, _card_end, CARD_TOKEN)
    return _replace(text, PHONE, _phone_end, PHONE_TOKEN)


def _replace(text: str, pattern: re.Pattern[str], end_of: Callable[[re.Match[str]], int], token: str) -> str:
    """Replace what `end_of` confirms; it gives the end of the number, or -1 when the candidate is none."""
    pieces: list[str] = []
    copied = 0
    found = pattern.search(text)
    while found is not None:
        end = end_of(found)
        if end < 0:
            # A refused candidate may hide a number that begins inside it.
            found = pattern.search(text, found.start() + 1)
            continue
        pieces += (text[copied : found.start()], token)
        copied = end
        found = pattern.search(text, end)
    return "".join(pieces) + text[copied:] if pieces else text


def _resident_id_end(found: re.Match[str]) -> int:
    return found.end() if ric.is_valid(found[0].replace(" ", "").replace("-", "")) else -1


def _social_security_end(found: re.Match[str]) -> int:
    return found.end() if ssn.is_valid(found[0]) else -1


def _card_end(found: re.Match[str]) -> int:
    # The fifth group may be something else, as a quantity after the card.
    for end in _group_ends(found):
        digits = NOT_DIGIT.sub("", found.string[found.start() : end])
        if len(digits) < 14:
            break
        if luhn.is_valid(digits):
            return end
    return -1


def _phone_end(found: re.Match[str]) -> int:
    kind = found.lastgroup
    if kind == "international":
        return _international_end(found)
    number = _parse(found[0], "CN" if kind == "china" else "US")
    if number is None:
        return -1
    # The dashes or brackets of "(555) 123-4567" say more than the table of assigned area codes.
    accepts = phonenumbers.is_possible_number if kind == "written" else phonenumbers.is_valid_number
    return found.end() if accepts(number) else -1


def _international_end(found: re.Match[str]) -> int:
    """Prefer the longest valid number over a longer one of merely possible length."""
    possible = -1
    for end in _group_ends(found):
        candidate = found.string[found.start() : end]
        # An exchange prefix 00 stands for the plus sign and is no part of the number.
        digits = NOT_DIGIT.sub("", candidate).removeprefix("00")
        if len(digits) not in E164_DIGITS:
            continue
        number = _parse("+" + digits, None)
        if number is None:
            continue
        if phonenumbers.is_valid_number(number):
            return end
        if possible < 0 and "+" in candidate and phonenumbers.is_possible_number(number):
            possible = end
    return possible


def _group_ends(found: re.Match[str]) -> Iterator[int]:
    """Yield where the groups of digits of a candidate end, the last first."""
    ends = [group.end() for group in GROUP_END.finditer(found.string, found.start(), found.end())]
    return reversed(ends)


def _parse(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
