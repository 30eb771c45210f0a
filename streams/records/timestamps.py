"""RFC 3339 timestamps to epoch milliseconds."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_MILLISECOND: Final = timedelta(milliseconds=1)
_SECONDS_PER_DAY: Final = 86_400

# datetime.fromisoformat takes some forms that RFC 3339 lacks (from Python 3.14 on, hour 24), and lacks some others. It
# is given only the forms that both have.
_USUAL: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T"
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_RFC3339: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]"
    r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)


def parse_rfc3339(text: str) -> int:
    """Convert an RFC 3339 date-time with an offset.

    The date is separated from the time by `T`, `t` or a space. Fractions of a second may have any number of
    digits and are truncated to milliseconds. A leap second (23:59:60 UTC at the end
    of a month: RFC 3339, section 5.7) is taken as the second that follows it.

    Args:
        text: such as `2026-11-23T08:30:00.123456+08:00`; years 0001 to 9999.

    Returns:
        Epoch milliseconds, UTC; negative before 1970.

    Raises:
        ValueError: it is no such date-time; the message does not quote it.
    """
    if _USUAL.fullmatch(text):
        try:
            return (datetime.fromisoformat(text) - _EPOCH) // _MILLISECOND
        except ValueError:
            pass  # No such day or hour. The error is raised below, because the caught one quotes the text.
    return _parse_by_parts(text)


def _parse_by_parts(text: str) -> int:
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError("expected RFC 3339 with an offset, such as 2026-11-23T08:30:00Z, found another form")
    year, month, day, hour, minute, second = map(int, match.group(1, 2, 3, 4, 5, 6))
    fraction, sign, offset_hours, offset_minutes = match.group(7, 8, 9, 10)
    # The month is checked first: monthrange raises another error for a wrong one.
    if not (year >= 1 and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]):
        raise ValueError("expected a date of the Gregorian calendar, years 0001 to 9999, found another")
    days = date(year, month, day).toordinal() - _EPOCH_ORDINAL
    offset = 0
    if sign is not None:
        offset = int(sign + "1") * (int(offset_hours) * 60 + int(offset_minutes)) * 60
    seconds = days * _SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset
    if second == 60 and not _starts_month(seconds):
        raise ValueError("expected second 60 only at 23:59:60 UTC on the last day of a month, found it elsewhere")
    milliseconds = int(fraction[:3].ljust(3, "0")) if fraction else 0
    return seconds * 1000 + milliseconds


def _starts_month(seconds: int) -> bool:
    """Tell whether an instant, in epoch seconds, is the midnight (UTC) with which a month starts."""
    days, rest = divmod(seconds, _SECONDS_PER_DAY)
    # The day before is looked at, because the first day of year 10000 is no date of Python.
    eve = days - 1 + _EPOCH_ORDINAL
    if rest or eve < 1:
        return False
    last = date.fromordinal(eve)
    return last.day == monthrange(last.year, last.month)[1]
