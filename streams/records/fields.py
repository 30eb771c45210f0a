"""The fields of an event: a decoded JSON value becomes a valid field, or `InvalidEventError` is raised."""

from __future__ import annotations

from typing import Final, NoReturn

from streams.exceptions import InvalidEventError
from streams.records.events import MAX_ID_BYTES, MAX_MONEY, MAX_QUANTITY, MAX_TITLE_BYTES, Action

_ACTIONS: Final = {action.value: action for action in Action}
_KINDS: Final = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    type(None): "nothing or null",
}


def is_short_id(text: str) -> bool:
    """Tell whether a string fits into the 256 UTF-8 bytes of an id."""
    # No character takes more than 4.
    return len(text) * 4 <= MAX_ID_BYTES or len(text.encode()) <= MAX_ID_BYTES


def is_short_title(text: str) -> bool:
    """Tell whether a title fits into its 1,024 UTF-8 bytes."""
    return len(text) * 4 <= MAX_TITLE_BYTES or len(text.encode()) <= MAX_TITLE_BYTES


def read_id(value: object, name: str) -> str:
    """Return an id: a string of 1 to 256 UTF-8 bytes."""
    if type(value) is str and value and is_short_id(value):
        return value
    found = ("a longer one" if value else "an empty one") if type(value) is str else ""
    refuse(name, f"a string of 1 to {MAX_ID_BYTES} UTF-8 bytes", value, found)


def read_string(value: object, name: str) -> str:
    """Return a string of any length."""
    if type(value) is str:
        return value
    refuse(name, "a string", value)


def read_optional_string(value: object, name: str) -> str | None:
    """Return a string of any length, or None for null."""
    if value is None or type(value) is str:
        return value
    refuse(name, "a string", value)


def read_title(value: object) -> str | None:
    """Return a title, cut at the last character that fits into 1,024 UTF-8 bytes, or None for null."""
    title = read_optional_string(value, "title")
    return None if title is None else cut(title, MAX_TITLE_BYTES)


def cut(text: str, most: int) -> str:
    """Return a text up to the last character that fits into so many UTF-8 bytes."""
    if len(text) * 4 <= most:
        return text
    # No character takes less than a byte, so the rest of a very long one need not be encoded.
    return text[:most].encode()[:most].decode(errors="ignore")


def read_action(value: object) -> Action:
    """Return the action of a click."""
    action = _ACTIONS.get(value) if type(value) is str else None
    if action is None:
        refuse("action", f"one of {', '.join(_ACTIONS)}", value, "another" if type(value) is str else "")
    return action


def read_number(value: object, name: str, low: float, high: float) -> float:
    """Return a number within `low` and `high`, both included, as a float."""
    if (type(value) is float or type(value) is int) and low <= value <= high:
        # Adding zero turns -0.0 into 0.0.
        return value + 0.0
    refuse(name, f"a number from {low:g} to {high:g}", value, _beyond(value, low))


def read_quantity(value: object) -> int:
    """Return a number of pieces, 1 for null. 2.0 is refused: it is no integer."""
    if value is None:
        return 1
    if type(value) is int and 1 <= value <= MAX_QUANTITY:
        return value
    refuse("quantity", f"an integer from 1 to {MAX_QUANTITY}", value, _beyond(value, 1) if type(value) is int else "")


def read_price(value: object, quantity: int) -> float | None:
    """Return the price of one of `quantity` pieces, or None for null."""
    if value is None:
        return None
    price = read_number(value, "price", 0.0, MAX_MONEY)
    if price * quantity > MAX_MONEY:
        raise InvalidEventError(f"price: expected price x quantity of at most {MAX_MONEY:.0f}, found more")
    return price


def _beyond(value: object, low: float) -> str:
    if type(value) is float or type(value) is int:
        return "a smaller one" if value < low else "a greater one"
    return ""


def refuse(name: str, expected: str, value: object, found: str = "") -> NoReturn:
    """Raise the error of an unexpected value. The message holds `found`, or the kind of the value, never the value."""
    raise InvalidEventError(f"{name}: expected {expected}, found {found or _KINDS[type(value)]}")
