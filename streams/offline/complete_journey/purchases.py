"""The purchase lines of Complete Journey, in order of time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from streams.offline.complete_journey.package import parquet
from streams.offline.complete_journey.wording import title, words

LINES: Final = 1_469_307
"""Lines of the table of transactions, those left out included."""

CURRENCY: Final = "USD"
"""The currency of the amounts."""

_COLUMNS: Final = (
    "household_id",
    "basket_id",
    "product_id",
    "quantity",
    "sales_value",
    "transaction_timestamp",
)
_PRODUCT: Final = ("product_id", "department", "brand", "product_category", "product_type")
_BATCH_ROWS: Final = 65_536
# Its quantity is in thousandths of a gallon, up to 89,638 in a line: one filling is one unit.
_FUEL: Final = "GASOLINE-REG UNLEADED"
_UNKNOWN: Final = "unknown"


@dataclass(slots=True)
class LeftOut:
    """The lines that are no purchase.

    Attributes:
        lines: left out in all; a line may have neither money nor pieces.
        no_money: for which nothing was paid.
        no_quantity: of no piece.
    """

    lines: int = 0
    no_money: int = 0
    no_quantity: int = 0


class Item(NamedTuple):
    """A product in words.

    Attributes:
        title: brand, category and type.
        category: its product category, or its department where it has none.
        fuel: whether its quantity is a volume.
    """

    title: str
    category: str
    fuel: bool


class Purchase(NamedTuple):
    """A line of a basket.

    Attributes:
        household: the household's number in the data, as text.
        basket: number of the basket, as text; a basket is of one household and one instant.
        product: number of the product, as text; a basket names a product once.
        timestamp: epoch ms; the data have no zone, and are taken for UTC.
        units: pieces, at least 1.
        paid: what the shop received for all pieces, above 0. Discounts of the shop's card are taken off; a maker's
            coupon is not, because the maker pays the shop for it.
        item: in words.
    """

    household: str
    basket: str
    product: str
    timestamp: int
    units: int
    paid: float
    item: Item

    def click(self) -> dict[str, Any]:
        """Return the purchase as a click of the contract. `currency` is left out, so that it fits any deployment."""
        return {
            "event_id": f"{self.basket}-{self.product}",
            "user_id": self.household,
            "item_id": self.product,
            "action": "purchase",
            "timestamp": self.timestamp,
            "category": self.item.category,
            "price": self.paid / self.units,
            "quantity": self.units,
            "title": self.item.title,
            "order_id": self.basket,
        }


def purchases(households: Collection[str] | None = None, left_out: LeftOut | None = None) -> Iterator[Purchase]:
    """Yield purchase lines by time, those of a basket together.

    The file is read batch by batch: memory holds the table of products and one batch.

    Args:
        households: those wanted; None for all.
        left_out: counts the lines of these households that are left out.

    Raises:
        ConfigurationError: the package is not installed, or is not the one expected.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    counted = LeftOut() if left_out is None else left_out
    file, items = parquet("transactions", _COLUMNS), _items()
    wanted = None if households is None else pa.array(sorted(map(int, households)), pa.int64())
    for batch in file.iter_batches(_BATCH_ROWS, columns=list(_COLUMNS)):
        kept = batch if wanted is None else batch.filter(pc.is_in(batch["household_id"], value_set=wanted))
        instants = kept["transaction_timestamp"].cast(pa.timestamp("ms")).cast(pa.int64())
        columns = [kept[name].to_pylist() for name in _COLUMNS[:-1]]
        for household, basket, product, quantity, paid, instant in zip(*columns, instants.to_pylist(), strict=True):
            if paid <= 0 or quantity <= 0:
                counted.lines += 1
                counted.no_money += paid <= 0
                counted.no_quantity += quantity <= 0
                continue
            item = items.get(product, _NO_WORDS)
            units = 1 if item.fuel else quantity
            yield Purchase(str(household), str(basket), str(product), instant, units, paid, item)


_NO_WORDS: Final = Item("", _UNKNOWN, False)


def _items() -> dict[int, Item]:
    table = parquet("products", _PRODUCT).read(columns=list(_PRODUCT))
    named: dict[tuple[str | None, ...], Item] = {}
    found: dict[int, Item] = {}
    for product, *names in zip(*(table[name].to_pylist() for name in _PRODUCT), strict=True):
        department, brand, category, kind = names
        item = named.get(tuple(names))
        if item is None:
            # The table has nearly all fuel among coupons.
            known = "FUEL" if kind == _FUEL else category or department
            item = Item(title(brand, known, kind), words(known) or _UNKNOWN, kind == _FUEL)
            named[tuple(names)] = item
        found[product] = item
    return found


def customers() -> list[str]:
    """Return the households of the table of transactions, by number.

    Raises:
        ConfigurationError: the package is not installed, or is not the one expected.
    """
    import pyarrow.compute as pc

    column = parquet("transactions", _COLUMNS[:1]).read(columns=list(_COLUMNS[:1]))
    return [str(household) for household in sorted(pc.unique(column[_COLUMNS[0]]).to_pylist())]
