"""Labels of a shopper: price band, lifecycle stage and intent, by the rules of one readable table."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from models.exceptions import LabelTableError
from models.labels.compiling import added, compile_rules, first_known, less
from models.labels.rules import OTHERWISE, Rule, Vocabulary

SHIPPED: Final = Path(__file__).with_name("labels.toml")
"""The table that comes with the package."""

PRICE_BANDS: Final = ("unknown", "entry", "mid", "premium", "luxury")
STAGES: Final = ("prospect", "new", "active", "loyal", "at_risk", "lapsed")
INTENTS: Final = ("buying", "comparing", "browsing", "idle")
LABELS: Final = {"price_band": PRICE_BANDS, "lifecycle": STAGES, "intent": INTENTS}
"""The closed lists, which consumers may rely on: a table decides who gets a label and adds no label."""

MAXIMUM_RULES: Final = 24
"""Of one list; a longer one is hard to read from the top, and takes long to check."""

WEIGHT_OF_TODAY: Final = 1 << 48

Value = int | float | None


Decision = tuple[str, ...]
"""The labels of a shopper: one of each list of `LABELS`, in their order."""


class _Interests(msgspec.Struct, forbid_unknown_fields=True):
    half_life_days: float
    at_most: int


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    price_band: list[list[str]]
    lifecycle: list[list[str]]
    intent: list[list[str]]
    interests: _Interests
    first_known: dict[str, list[str]] = {}
    less: dict[str, list[str]] = {}
    sum: dict[str, list[str]] = {}


@dataclass(frozen=True, slots=True)
class LabelTable:
    """A checked table; `read_labels` makes it.

    Attributes:
        half_life_days: age at which an event of a category counts half.
        most_interests: interests named at most.
        rules: the lists by the names of `LABELS`, conditions by position; the last rule of each always holds.
        decide: the labels of a feature row, its features in the order the table was read for; None is unknown.
        with_price_band: makes this table with another list `price_band`; None where its own stays.
    """

    half_life_days: float
    most_interests: int
    rules: Mapping[str, tuple[Rule, ...]]
    decide: Callable[[Sequence[Value]], Decision]
    with_price_band: Callable[[list[list[str]]], LabelTable] | None = None

    def with_price_bounds(self, bounds: Sequence[float]) -> LabelTable:
        """Return this table with price bands that a scorer has learnt; the same table where its own stay.

        Args:
            bounds: up to which `entry`, `mid` and `premium` reach, not falling; empty where none were learnt.
        """
        lines = price_lines(bounds)
        return self if self.with_price_band is None or not lines else self.with_price_band(lines)

    def weights(self, days: int) -> tuple[int, ...]:
        """Return the weight of an event by its age in days, today's first: integers, which any order adds up alike."""
        return tuple(round(WEIGHT_OF_TODAY * 2 ** (-age / self.half_life_days)) for age in range(days))


def read_labels(path: Path, features: Mapping[str, bool], *, keep_prices: bool = True) -> LabelTable:
    """Read and check a table of labels.

    Args:
        path: TOML, as `labels.toml` of this package.
        features: by name and in the order of the rows to come, whether it is a count (whole, never unknown).
        keep_prices: whether the bounds of its price bands stay, whatever those are that a scorer has learnt.

    Raises:
        LabelTableError: the file cannot be read, a name in it does not exist, a list has no last line for everybody
            else, or a line could never apply.
    """
    try:
        document = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _Document)
    except OSError as error:
        raise LabelTableError(f"{path}: expected a table of labels, found {error.strerror}; name a file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LabelTableError(f"{path}: expected TOML in UTF-8, found a mistake: {error}") from error
    except msgspec.ValidationError as error:
        raise LabelTableError(f"{path}: {error}; see the table that comes with the package") from error
    try:
        return _checked(document, features, keep_prices)
    except LabelTableError as error:
        raise LabelTableError(f"{path}: {error}") from None


def _checked(document: _Document, features: Mapping[str, bool], keep_prices: bool) -> LabelTable:
    names = dict(features)
    of_counts = document.less | document.sum
    for name, parts in (*document.first_known.items(), *document.less.items(), *document.sum.items()):
        _check_definition(name, parts, name in of_counts, features)
        if name in names:
            _refuse(f"{name}: expected a name of its own, found that of a feature or of another definition; rename it")
        names[name] = name in of_counts
    interests = document.interests
    if not 0.01 <= interests.half_life_days <= 10_000:
        _refuse(f"interests.half_life_days: expected 0.01 to 10000 days, found {interests.half_life_days:g}")
    if not 0 <= interests.at_most <= 256:
        _refuse(f"interests.at_most: expected 0 to 256, found {interests.at_most}")
    vocabulary = Vocabulary(names)
    lists = {name: _list(name, getattr(document, name), vocabulary) for name in LABELS}
    places = {name: position for position, name in enumerate(features)}
    derived = [first_known([places[part] for part in parts]) for parts in document.first_known.values()]
    derived += [less([places[part] for part in parts]) for parts in document.less.values()]
    derived += [added([places[part] for part in parts]) for parts in document.sum.values()]
    nullable = {position for position, count in enumerate(names.values()) if not count}
    decide = compile_rules(list(lists.values()), derived, nullable, len(features))

    def with_price_band(lines: list[list[str]]) -> LabelTable:
        return _checked(msgspec.structs.replace(document, price_band=lines), features, True)

    other = None if keep_prices else with_price_band
    return LabelTable(interests.half_life_days, interests.at_most, lists, decide, other)


def price_lines(bounds: Sequence[float]) -> list[list[str]]:
    """Return the list `price_band` of a table with these bounds; a band that would be empty is left out.

    Args:
        bounds: up to which `entry`, `mid` and `premium` reach, not falling; empty for no list.
    """
    lines, reached = [["unknown", "price is unknown"]], 0.0
    for band, bound in zip(PRICE_BANDS[1:], bounds, strict=False):
        # Rules are written with six digits, as money is kept.
        if round(bound, 6) > reached:
            reached = round(bound, 6)
            lines.append([band, f"price < {reached:.6f}"])
    return [*lines, ["luxury", OTHERWISE]] if reached else []


def _check_definition(name: str, parts: Sequence[str], of_counts: bool, features: Mapping[str, bool]) -> None:
    if len(set(parts)) < max(2, len(parts)):
        _refuse(f"{name}: expected two or more different features, found {len(parts)} names; correct the list")
    for part in parts:
        if part not in features:
            _refuse(f"{name}: expected a feature, found {part!r}; see Features in docs/contract.md")
        if of_counts and not features[part]:
            _refuse(f"{name}: expected counts to add up or take away, found {part!r}, which can be unknown or money")


def _list(name: str, lines: Sequence[Sequence[str]], vocabulary: Vocabulary) -> tuple[Rule, ...]:
    if not 1 <= len(lines) <= MAXIMUM_RULES:
        _refuse(f"{name}: expected 1 to {MAXIMUM_RULES} lines, found {len(lines)}")
    rules: list[Rule] = []
    for number, (label, *conditions) in enumerate((line or [""] for line in lines), 1):
        place = f"{name}, line {number} ({label!r})"
        if label not in LABELS[name]:
            _refuse(f"{place}: expected one of {', '.join(LABELS[name])}, found {label!r}; labels are a closed list")
        if (conditions == [OTHERWISE]) != (number == len(lines)):
            _refuse(f"{place}: expected `{OTHERWISE}` alone on the last line, and only there; end the list with it")
        if number == len(lines):
            break
        if not conditions:
            _refuse(f"{place}: expected a condition after the label, found none; only the last line takes everybody")
        try:
            rule = vocabulary.rule(label, conditions)
        except LabelTableError as error:
            raise LabelTableError(f"{place}: {error}") from None
        if not vocabulary.can_apply(rule, rules):
            _refuse(f"{place}: expected a line that some shopper can reach, found every one of its taken before it")
        rules.append(rule)
    if not vocabulary.can_apply(Rule(OTHERWISE, ()), rules):
        _refuse(f"{name}: expected somebody left for the last line, found all taken before it; drop the line before")
    return (*rules, Rule(lines[-1][0], ()))


def _refuse(message: str) -> NoReturn:
    raise LabelTableError(message)
