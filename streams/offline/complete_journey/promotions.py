"""The promotions of Complete Journey: in which weeks a product was on display, in the mailer, or had a coupon."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from features.tiles import DAY
from streams.offline.complete_journey.package import parquet

WEEK: Final = 7 * DAY

_DISPLAYED: Final = ("product_id", "week")
_COUPONS: Final = ("product_id", "campaign_id")
_CAMPAIGNS: Final = ("campaign_id", "start_date", "end_date")
_WEEKS: Final = 53
_BATCH_ROWS: Final = 1 << 20
# Its second week begins at five in the morning of 2 January 2017, a Monday; the first is the day before.
_SECOND_WEEK: Final = 1_483_333_200_000


def week_begin(week: int) -> int:
    """Return when a week of the data begins, epoch ms."""
    return _SECOND_WEEK + (week - 2) * WEEK


def promoted_weeks(products: Collection[str]) -> dict[str, set[int]]:
    """Return the weeks in which products were on display or in the mailer of a store, or had a coupon.

    Args:
        products: those wanted.

    Raises:
        ConfigurationError: the package is not installed, or is not the one expected.
    """
    found = _displayed_weeks(products)
    for product, weeks in _coupon_weeks(products).items():
        found.setdefault(product, set()).update(weeks)
    return found


def _displayed_weeks(products: Collection[str]) -> dict[str, set[int]]:
    """Return weeks on display or in the mailer: the table has 21 million rows, and is read batch by batch."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = pa.array(sorted(map(int, products)), pa.int64())
    found: dict[str, set[int]] = {}
    for batch in parquet("promotions", _DISPLAYED).iter_batches(_BATCH_ROWS, columns=list(_DISPLAYED)):
        kept = batch.filter(pc.is_in(batch["product_id"], value_set=wanted))
        # A product is in one week in many stores.
        pairs = pa.Table.from_batches([kept]).group_by(list(_DISPLAYED)).aggregate([])
        for product, week in zip(pairs["product_id"].to_pylist(), pairs["week"].to_pylist(), strict=True):
            found.setdefault(str(product), set()).add(week)
    return found


def _coupon_weeks(products: Collection[str]) -> dict[str, set[int]]:
    """Return weeks that begin while a campaign ran which had a coupon on the product."""
    import pyarrow as pa

    campaigns = parquet("campaign_descriptions", _CAMPAIGNS).read(columns=list(_CAMPAIGNS))
    numbers, *days = (campaigns[name] for name in _CAMPAIGNS)
    begins, ends = (each.cast(pa.timestamp("ms")).cast(pa.int64()).to_pylist() for each in days)
    ran = {
        number: {week for week in range(1, _WEEKS + 1) if begin <= week_begin(week) <= end}
        for number, begin, end in zip(numbers.to_pylist(), begins, ends, strict=True)
    }
    wanted = set(products)
    found: dict[str, set[int]] = {}
    for row in parquet("coupons", _COUPONS).read(columns=list(_COUPONS)).to_pylist():
        if (product := str(row["product_id"])) in wanted:
            found.setdefault(product, set()).update(ran[row["campaign_id"]])
    return found
